"""Neighbours found by brute force: whether they are why a model predicts different values for equal numbers.

scikit-learn computes such distances with BLAS. Their last bits depend on the number of rows, on whether these come as
whole numbers or as floats, and on the processor. With `weights='distance'` a prediction can differ by far more.
"""

import copy
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from sklearn.neighbors import KDTree

from rowcast.models.loading.load import components
from training.rehearsal.users_script import Script

REMEDY = "Fit it with algorithm='kd_tree' or 'ball_tree'."

BRUTE_FORCE = (
    "Batch-dependent step: the model looks for neighbours by brute force, and predicts different values if the same "
    "numbers are read as floats instead of whole numbers. In scikit-learn the last bit of such a distance depends on "
    f"that, on the number of rows, and on the processor. {REMEDY}"
)


def looks_by_brute_force(estimator: Any) -> bool:
    """Returns whether the estimator, or a part of it, looks for neighbours by brute force."""
    return any(_brute(estimator))


def with_trees(script: Script) -> Script | None:
    """The script with trees in place of brute force; None if the model does not look for neighbours that way.

    If this script does not predict otherwise where the given one does, brute force is the reason.
    """
    if not looks_by_brute_force(script.estimator):
        return None
    estimator = copy.deepcopy(script.estimator)
    try:
        for part in list(_brute(estimator)):
            part._tree = KDTree(part._fit_X, metric=part.effective_metric_, **part.effective_metric_params_)
            part._fit_method = "kd_tree"
    except (TypeError, ValueError, AttributeError):  # sparse rows, or a metric that no tree knows, for example cosine
        return None
    return replace(script, estimator=estimator)


def _brute(estimator: Any) -> Iterator[Any]:
    return (part for part in components(estimator) if vars(part).get("_fit_method") == "brute")
