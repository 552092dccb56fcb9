"""The grids: which parameters are tried for each family of estimators."""

from collections.abc import Mapping, Sequence
from typing import Any

from rowcast.models.estimator_names import SUFFIXES
from training.fitting.learner import Learner

Grid = Mapping[str, Sequence[Any]]
"""Parameter of the estimator → the values to try."""

BOOSTING: Grid = {"learning_rate": [0.03, 0.1], "max_leaf_nodes": [7, 15, 31]}
CLASSIFIER_FEATURES = ["sqrt", 0.7]
REGRESSOR_FEATURES = [1 / 3, 0.7]
LEAF_FACTORS = (1, 4)
"""The leaves of forests have at least the recipe's number of rows, or four times as many."""

C = [0.01, 0.1, 1.0, 10.0]
ALPHA = [0.1, 1.0, 10.0, 100.0]


def grid_of(learner: Learner) -> Grid:
    """Returns the grid of a learner's family. It contains the parameters of the recipe itself."""
    is_classifier = learner.task == "classification"
    family = learner.estimator.removesuffix(SUFFIXES[learner.task])
    if family == "random_forest":
        leaf = learner.pipeline()[-1].min_samples_leaf
        return {
            "max_features": CLASSIFIER_FEATURES if is_classifier else REGRESSOR_FEATURES,
            "min_samples_leaf": [leaf * factor for factor in LEAF_FACTORS],
        }
    if family == "logistic_regression":
        return {"C": C} if is_classifier else {"alpha": ALPHA}
    return BOOSTING
