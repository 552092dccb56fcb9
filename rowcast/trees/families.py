"""The table of the estimators that can be taken, each with how its trees are read, evaluated and compared."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import ensemble, tree

from rowcast.trees.ensemble_reading import (
    read_boosting,
    read_classic_boosting,
    read_forest,
    read_isolation_forest,
    read_single_tree,
)
from rowcast.trees.evaluation.ensemble import Declined, Ensemble
from rowcast.trees.evaluation.leaf_sweep import build_leaf_sweep
from rowcast.trees.evaluation.node_walk import build_node_walk
from rowcast.trees.fast_copies import plain_class
from rowcast.trees.fast_estimators import (
    FastEstimator,
    FastForestClassifier,
    FastForestRegressor,
    FastGradientBoosting,
    FastHistGradientBoosting,
    FastIsolationForest,
    FastTreeClassifier,
    FastTreeRegressor,
    Tables,
)

OTHER_LIBRARIES = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost"}
"""Libraries whose trees are left to them: each adds up its leaves in another order and precision."""


@dataclass(frozen=True)
class Family:
    """Estimators that are evaluated in the same way."""

    #: What their fast subclasses have.
    mixin: type[FastEstimator]
    #: Reads the trees.
    read: Callable[[Any], Ensemble]
    #: Builds the tables.
    build: Callable[[Ensemble], Tables]
    #: Returns the sums, or what is nearest to them, of cells of the type that the trees compare.
    scores: Callable[[Any, NDArray[Any]], NDArray[np.float64]]
    #: The type of the cells that the trees compare.
    cell_type: type[np.floating[Any]]


def family_of(estimator: Any) -> Family | None:
    """Returns the family of the estimator's exact class. Subclasses have none: they may predict in another way."""
    return FAMILIES.get(plain_class(estimator))


def is_tree_estimator(value: Any) -> bool:
    """Returns whether `explain` says something about the value: trees, also those that are left to their library."""
    if isinstance(value, type):
        return False
    return isinstance(value, _TREE_CLASSES) or (library_of(value) is not None and hasattr(value, "predict"))


def library_of(value: Any) -> str | None:
    """Returns the name of the other library that the value's class, or a class above it, belongs to."""
    for kind in type(value).__mro__:
        found = OTHER_LIBRARIES.get(kind.__module__.partition(".")[0])
        if found:
            return found
    return None


def _boosting_scores(estimator: Any, cells: NDArray[Any]) -> NDArray[np.float64]:
    sums = np.zeros((len(cells), estimator.n_trees_per_iteration_), order="F")
    sums += estimator._baseline_prediction
    estimator._predict_iterations(cells, estimator._predictors, sums, False, 1)
    return sums


def _probabilities(estimator: Any, cells: NDArray[Any]) -> NDArray[np.float64]:
    found = estimator.predict_proba(cells)
    return np.hstack(found) if isinstance(found, list) else np.asarray(found)


def _predictions(estimator: Any, cells: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(estimator.predict(cells))


def _raw_predictions(estimator: Any, cells: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(estimator._raw_predict(np.ascontiguousarray(cells)))


def _isolation_scores(estimator: Any, cells: NDArray[Any]) -> NDArray[np.float64]:
    return np.asarray(estimator.score_samples(cells))


def _sweep_or_walk(trees: Ensemble) -> Tables:
    """Returns a leaf sweep if the trees are small enough for it to be faster."""
    most_leaves = max(int((tree.left < 0).sum()) for tree in trees.trees)
    if most_leaves <= _FEW_LEAVES:
        try:
            return build_leaf_sweep(trees)
        except Declined:
            pass
    return build_node_walk(trees)


_FEW_LEAVES = 64
"""Leaves of a tree up to which a sweep over all its nodes is faster than a walk."""

_TREE_CLASSES = (
    ensemble.HistGradientBoostingClassifier,
    ensemble.HistGradientBoostingRegressor,
    ensemble.RandomForestClassifier,
    ensemble.RandomForestRegressor,
    ensemble.ExtraTreesClassifier,
    ensemble.ExtraTreesRegressor,
    ensemble.RandomTreesEmbedding,
    ensemble.GradientBoostingClassifier,
    ensemble.GradientBoostingRegressor,
    ensemble.IsolationForest,
    tree.DecisionTreeClassifier,
    tree.DecisionTreeRegressor,
)

_BOOSTING = Family(
    FastHistGradientBoosting, read_boosting, build_leaf_sweep, _boosting_scores, np.float64
)  # fmt: skip
_CLASSIC = Family(FastGradientBoosting, read_classic_boosting, _sweep_or_walk, _raw_predictions, np.float32)
_FOREST_CLASSIFIER = Family(FastForestClassifier, read_forest, build_node_walk, _probabilities, np.float32)
_FOREST_REGRESSOR = Family(FastForestRegressor, read_forest, build_node_walk, _predictions, np.float32)
_TREE_CLASSIFIER = Family(FastTreeClassifier, read_single_tree, build_node_walk, _probabilities, np.float32)
_TREE_REGRESSOR = Family(FastTreeRegressor, read_single_tree, build_node_walk, _predictions, np.float32)
_ISOLATION = Family(
    FastIsolationForest, read_isolation_forest, build_node_walk, _isolation_scores, np.float32
)  # fmt: skip

FAMILIES: dict[type, Family] = {
    ensemble.HistGradientBoostingClassifier: _BOOSTING,
    ensemble.HistGradientBoostingRegressor: _BOOSTING,
    ensemble.RandomForestClassifier: _FOREST_CLASSIFIER,
    ensemble.ExtraTreesClassifier: _FOREST_CLASSIFIER,
    ensemble.RandomForestRegressor: _FOREST_REGRESSOR,
    ensemble.ExtraTreesRegressor: _FOREST_REGRESSOR,
    ensemble.GradientBoostingClassifier: _CLASSIC,
    ensemble.GradientBoostingRegressor: _CLASSIC,
    ensemble.IsolationForest: _ISOLATION,
    tree.DecisionTreeClassifier: _TREE_CLASSIFIER,
    tree.ExtraTreeClassifier: _TREE_CLASSIFIER,
    tree.DecisionTreeRegressor: _TREE_REGRESSOR,
    tree.ExtraTreeRegressor: _TREE_REGRESSOR,
}
"""Exact classes only."""
