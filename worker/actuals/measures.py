"""The metrics of predictions whose truth is known, as scikit-learn computes them."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

Found = dict[str, float | None]


def of_numbers(truth: NDArray[Any], predicted: NDArray[Any]) -> Found:
    """Returns the metrics of a regressor. Both have the shape (rows,), and may have no rows."""
    if not len(truth):
        return {"mae": None, "rmse": None, "r2": None}
    error = metrics.mean_squared_error(truth, predicted)
    return {
        "mae": float(metrics.mean_absolute_error(truth, predicted)),
        "rmse": math.sqrt(error),
        "r2": float(metrics.r2_score(truth, predicted)) if len(truth) > 1 else None,
    }


def of_classes(truth: NDArray[Any], predicted: NDArray[Any], classes: int, shares: NDArray[Any] | None) -> Found:
    """Returns the metrics of a classifier with this number of classes.

    Labels are numbers: the place of a class, or `classes` and more for those that the model does not know. With two
    classes, precision, recall and F1 are those of the second one, otherwise the mean of all classes that occur.

    Args:
        truth: Shape (rows,).
        predicted: Shape (rows,).
        classes: Number of classes that the model knows.
        shares: Probabilities, shape (rows, classes); None if some row has none.
    """
    is_known = bool((truth < classes).all() and (predicted < classes).all())
    how: dict[str, Any] = {"average": "binary", "pos_label": 1} if classes == 2 and is_known else {"average": "macro"}
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted, zero_division=0, **how)
    found: Found = {
        "accuracy": float(metrics.accuracy_score(truth, predicted)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "log_loss": None,
        "roc_auc": None,
    }
    if shares is not None and is_known and classes > 1:
        found["log_loss"] = float(metrics.log_loss(truth, shares, labels=range(classes)))
        if classes == 2 and len(np.unique(truth)) == 2:
            found["roc_auc"] = float(metrics.roc_auc_score(truth, shares[:, 1]))
    return found
