"""How good a pipeline is: metrics on rows that it has not seen."""

import warnings
from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn import metrics
from sklearn.model_selection import train_test_split

from training.fitting.pipelines import SEED
from training.fitting.target import Target

HELD_OUT = 0.2


def split(table: pd.DataFrame, target: Target) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Returns the positions of the rows to fit on, and of a fifth to hold out, with the classes in proportion.

    The only row of a class and the first value of each feature are always fitted on. Without them the class could not
    be learned, and boosting does not accept a column of missing values.
    """
    kept = {int(position) for position in table.notna().to_numpy().argmax(axis=0)}
    classes = target.task == "classification"
    labels = target.values.tolist()
    if classes:
        counts = Counter(labels)
        kept |= {position for position, label in enumerate(labels) if counts[label] == 1}
    free = np.array([position for position in range(len(labels)) if position not in kept], dtype=np.intp)
    fitted, held_out = train_test_split(
        free,
        test_size=HELD_OUT,
        random_state=SEED,
        stratify=_strata(target.values[free]) if classes else None,
    )
    return np.sort(np.concatenate([fitted, np.array(sorted(kept), dtype=np.intp)])), np.sort(held_out)


def _strata(labels: npt.NDArray[Any]) -> npt.NDArray[Any] | None:
    """Returns the labels to keep in proportion; None if a class has too few rows to be on both sides."""
    counts = Counter(labels.tolist())
    held_out = int(len(labels) * HELD_OUT)
    return labels if min(counts.values()) >= 2 and held_out >= len(counts) else None


def measure(estimator: Any, table: Any, values: npt.NDArray[Any]) -> dict[str, float]:
    """Returns the metrics of a fitted estimator on these rows, without those that the rows do not allow."""
    predicted = estimator.predict(table)
    if not hasattr(estimator, "classes_"):
        return _of_amounts(values, predicted)
    found = {
        "accuracy": float(metrics.accuracy_score(values, predicted)),
        # the mean recall of the present classes: like balanced accuracy, which warns if one is absent
        "balanced_accuracy": float(
            metrics.recall_score(values, predicted, average="macro", labels=np.unique(values), zero_division=0.0)
        ),
    }
    if hasattr(estimator, "predict_proba"):
        found |= _of_probabilities(estimator.classes_, values, estimator.predict_proba(table))
    return found


def _of_amounts(values: npt.NDArray[Any], predicted: npt.NDArray[Any]) -> dict[str, float]:
    found = {
        "mae": float(metrics.mean_absolute_error(values, predicted)),
        "rmse": float(metrics.root_mean_squared_error(values, predicted)),
    }
    if len(values) >= 2:
        found["r2"] = float(metrics.r2_score(values, predicted))
    return found


def _of_probabilities(
    classes: npt.NDArray[Any], values: npt.NDArray[Any], probabilities: npt.NDArray[np.float64]
) -> dict[str, float]:
    # Positions instead of labels: they sort the same, and the metrics take them whatever the labels are.
    place = {label: number for number, label in enumerate(classes.tolist())}
    places = np.array([place[label] for label in values.tolist()])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # probabilities that add up to 1 but for rounding
        found = {"log_loss": float(metrics.log_loss(places, probabilities, labels=list(place.values())))}
    if len(classes) == 2 and len(np.unique(places)) == 2:
        found["roc_auc"] = float(metrics.roc_auc_score(places, probabilities[:, 1]))
    return found
