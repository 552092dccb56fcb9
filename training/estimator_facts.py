"""Describing an estimator for its manifest: task, classes, outputs, scores."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import is_clusterer, is_outlier_detector

from rowcast.models.model_manifest import Label
from rowcast.scoring.predict import as_array
from training.rehearsal.users_script import Answers

Description = dict[str, Any]
"""Some fields of a `Draft`."""


def describe(estimator: Any, answers: Answers, targets: Sequence[str]) -> Description:
    """Returns what the estimator predicts, found from its attributes and from some of its answers."""
    predicted = answers["predict"]
    classes = _classes(estimator, predicted)
    outputs = None if predicted.ndim == 1 else _outputs(estimator, predicted.shape[1], targets)
    task = _task(estimator, predicted, classes)
    shares = answers.get("predict_proba")
    return {
        "task": task,
        "classes": None if outputs else classes,
        "outputs": outputs,
        "probabilities": shares is not None and classes is not None and shares.shape[1:] == (len(classes),),
        "scores": _scores(answers, classes),
    }


def _task(estimator: Any, predicted: Any, classes: list[Label] | None) -> str:
    if _is(is_outlier_detector, estimator):
        return "outlier_detection"
    if _is(is_clusterer, estimator) or (classes is not None and not hasattr(estimator, "classes_")):
        return "clustering" if predicted.dtype.kind in "iu" else "classification"
    if classes is not None or getattr(estimator, "classes_", None) is not None:
        return "classification"
    return "regression" if predicted.dtype.kind in "iuf" else "classification"


def _classes(estimator: Any, predicted: Any) -> list[Label] | None:
    own = getattr(estimator, "classes_", None)
    if own is not None:
        return None if isinstance(own, list) else [_label(one) for one in as_array(own, estimator).tolist()]
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if _is(is_outlier_detector, estimator):
        return [-1, 1]
    if getattr(last, "labels_", None) is not None and _is(is_clusterer, estimator):
        return [int(label) for label in np.unique(last.labels_)]
    if getattr(last, "n_components", None) is not None and hasattr(last, "predict_proba"):  # mixtures
        return list(range(int(last.n_components)))
    return [False, True] if predicted.dtype.kind == "b" else None


def _label(value: Any) -> Label:
    """Returns a class as the manifest can hold it: anything else than text, numbers and booleans as its text."""
    return value if isinstance(value, bool | int | float | str) else str(value)


def _outputs(estimator: Any, count: int, targets: Sequence[str]) -> list[str]:
    if len(targets) == count:
        return list(targets)
    classes = getattr(estimator, "classes_", None)
    if isinstance(classes, np.ndarray) and len(classes) == count:  # multi-label: one column per label
        return [str(label) for label in classes.tolist()]
    return [str(number) for number in range(count)]


def _scores(answers: Answers, classes: list[Label] | None) -> list[str] | None:
    values = answers.get("decision_function")
    if values is None:
        return None
    if values.ndim == 1:
        return ["score"]
    labels: Sequence[object] = classes or []
    if len(labels) != values.shape[1]:  # for example one for each pair of classes
        labels = range(values.shape[1])
    return [f"score_{label}" for label in labels]


def _is(question: Any, estimator: Any) -> bool:
    try:
        return bool(question(estimator))
    except Exception:  # a plain class, which has no tags
        return False
