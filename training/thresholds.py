"""The threshold of a model: the probability from which `threshold=auto` predicts the second of two classes."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn import metrics
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from rowcast.errors import Unprocessable
from rowcast.models.model_manifest import Draft


class Best(NamedTuple):
    """The best threshold for some rows."""

    #: A probability of the second class.
    threshold: float
    #: The mean recall of both classes with it.
    balanced_accuracy: float


def best_threshold(estimator: Any, table: Any, values: npt.NDArray[Any]) -> Best | None:
    """Returns the threshold with the best balanced accuracy on these rows; None if they show none.

    scikit-learn's `TunedThresholdClassifierCV` looks for the same by default. Youden's J is best there, too. The
    threshold lies in the middle between two rows' probabilities. Of several, it is the one nearest to 0.5.
    """
    classes = getattr(estimator, "classes_", None)
    if not isinstance(classes, np.ndarray) or len(classes) != 2 or not hasattr(estimator, "predict_proba"):
        return None
    is_second = np.array([value == classes[1] for value in values.tolist()])
    if is_second.all() or not is_second.any():
        return None
    false_rate, true_rate, scores = metrics.roc_curve(
        is_second, estimator.predict_proba(table)[:, 1], drop_intermediate=False
    )
    gains = true_rate - false_rate
    if not gains.max() > 0:
        return None
    middles = (scores + np.append(scores[1:], 0.0)) / 2
    best = middles[gains == gains.max()]
    return Best(float(best[np.abs(best - 0.5).argmin()]), float(1 + gains.max()) / 2)


def own_threshold(estimator: Any, table: Any) -> float | None:
    """Returns the threshold that scikit-learn's classifiers with a threshold have; None if it is not a probability.

    Such a classifier may compare decision scores or look at the first class. So its threshold counts only if `predict`
    does what it says for all rows of `table`.
    """
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if isinstance(last, TunedThresholdClassifierCV):
        found = float(last.best_threshold_)
    elif isinstance(last, FixedThresholdClassifier):
        found = 0.5 if last.threshold == "auto" else float(last.threshold)
    else:
        return None
    if not 0 <= found <= 1 or not hasattr(estimator, "predict_proba") or len(estimator.classes_) != 2:
        return None
    decided = estimator.classes_[(estimator.predict_proba(table)[:, 1] >= found).astype(int)]
    return found if np.array_equal(decided, estimator.predict(table)) else None


def require_suitable_threshold(threshold: float, draft: Draft) -> None:
    """Checks a threshold that the caller names.

    Raises:
        Unprocessable: it is not a probability, or the model has not two classes with probabilities.
    """
    if not 0 <= threshold <= 1:
        raise Unprocessable.at("threshold", "must be a number from 0 to 1")
    if not draft.has_two_classes:
        raise Unprocessable.at("threshold", "is only for models with two classes and probabilities")
