"""Reads scikit-learn's fitted estimators into ensembles. Private attributes are checked before they are used."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.trees.evaluation.ensemble import (
    CATEGORY_CODES,
    Declined,
    Ensemble,
    Tree,
    require_attributes,
    require_fields,
)

_TREE_FIELDS = {
    "left_child", "right_child", "feature", "threshold", "impurity", "n_node_samples", "weighted_n_node_samples",
    "missing_go_to_left",
}  # fmt: skip
_BOOSTING_FIELDS = {
    "value", "count", "feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "gain", "depth",
    "is_leaf", "bin_threshold", "is_categorical", "bitset_idx",
}  # fmt: skip


def read_boosting(estimator: Any) -> Ensemble:
    """Reads a HistGradientBoosting estimator. Tree t adds to the sum `t % n_trees_per_iteration_`.

    Raises:
        Declined: the trees are kept in another way than we know.
    """
    names = ("_predictors", "n_trees_per_iteration_", "_baseline_prediction", "_bin_mapper", "is_categorical_")
    require_attributes(estimator, (*names, "_predict_iterations", "_preprocess_X"))
    predictors = [predictor for iteration in estimator._predictors for predictor in iteration]
    sets: list[NDArray[np.uint8]] = []
    known = None
    if estimator.is_categorical_ is not None:
        known = estimator._bin_mapper.make_known_categories_bitsets()
    trees = [_boosting_tree(predictor, known, sets) for predictor in predictors]
    columns = int(estimator.n_trees_per_iteration_)
    return Ensemble(
        trees=trees,
        columns=columns,
        tree_column=np.arange(len(trees), dtype=np.int64) % columns,
        goes_right=np.array(sets, np.uint8) if sets else None,
        category_features=_category_features(trees),
    )


def read_forest(estimator: Any) -> Ensemble:
    """Reads a forest: each tree adds its values for all classes and outputs to the same sums."""
    require_attributes(estimator, ("estimators_",))
    trees = [read_tree(one.tree_) for one in estimator.estimators_]
    return _of_trees(estimator.estimators_, trees, np.zeros(len(trees), np.int64), trees[0].values.shape[1])


def read_single_tree(estimator: Any) -> Ensemble:
    """Reads one decision tree as an ensemble of one."""
    require_attributes(estimator, ("tree_",))
    tree = read_tree(estimator.tree_)
    return _of_trees([estimator], [tree], np.zeros(1, np.int64), tree.values.shape[1])


def read_classic_boosting(estimator: Any) -> Ensemble:
    """Reads a GradientBoosting estimator. The learning rate is multiplied into the leaves.

    Missing cells, which `predict` refuses, always go right there.

    scikit-learn computes `sum += rate * leaf` with the product rounded, unless its C compiler fuses the two, as on
    ARM. The trial of `accelerate` finds that.
    """
    require_attributes(estimator, ("estimators_", "_raw_predict_init", "learning_rate"))
    columns = estimator.estimators_.shape[1]
    estimators = list(estimator.estimators_.ravel())
    rate = np.float64(estimator.learning_rate)
    trees = [read_tree(one.tree_, values=rate * one.tree_.value[:, 0, :]) for one in estimators]
    trees = [replace(tree, missing_left=np.zeros_like(tree.missing_left)) for tree in trees]
    return _of_trees(estimators, trees, np.arange(len(trees), dtype=np.int64) % columns, columns)


def read_isolation_forest(estimator: Any) -> Ensemble:
    """Reads an IsolationForest: each leaf adds the length of the path that it stands for."""
    names = ("_decision_path_lengths", "_average_path_length_per_tree", "estimators_features_", "_max_features")
    require_attributes(estimator, (*names, "_max_samples"))
    trees = []
    parts = zip(
        estimator.estimators_,
        estimator.estimators_features_,
        estimator._decision_path_lengths,
        estimator._average_path_length_per_tree,
        strict=True,
    )
    for one, features, depths, lengths in parts:
        tree = read_tree(one.tree_, values=np.asarray(depths + lengths - 1.0, np.float64).reshape(-1, 1))
        trees.append(replace(tree, feature=np.asarray(features, np.int64)[np.maximum(tree.feature, 0)]))
    return _of_trees(estimator.estimators_, trees, np.zeros(len(trees), np.int64), 1)


def read_tree(tree: Any, values: NDArray[np.float64] | None = None) -> Tree:
    """Reads scikit-learn's `tree_`. Without `values`, a leaf has those of the tree, outputs after each other."""
    nodes = tree.__getstate__()["nodes"]
    require_fields(nodes, _TREE_FIELDS)
    if np.isnan(nodes["threshold"]).any():
        raise Declined("A threshold is NaN.")
    return Tree(
        left=nodes["left_child"].copy(),
        right=nodes["right_child"].copy(),
        feature=nodes["feature"].copy(),
        threshold=nodes["threshold"].copy(),
        missing_left=nodes["missing_go_to_left"] != 0,
        values=tree.value.reshape(len(nodes), -1) if values is None else values,
    )


def _of_trees(estimators: Any, trees: list[Tree], tree_column: NDArray[np.int64], columns: int) -> Ensemble:
    weights = [np.asarray(one.tree_.weighted_n_node_samples, np.float64) for one in estimators]
    return Ensemble(trees=trees, columns=columns, tree_column=tree_column, weights=weights)


def _boosting_tree(predictor: Any, known: Any, sets: list[NDArray[np.uint8]]) -> Tree:
    """Reads one tree, and appends its sets of categories to `sets`."""
    nodes = predictor.nodes
    require_fields(nodes, _BOOSTING_FIELDS)
    leaf = nodes["is_leaf"] != 0
    by_category = ~leaf & (nodes["is_categorical"] != 0)
    if np.isnan(nodes["num_threshold"][~leaf & ~by_category]).any():
        raise Declined("A threshold is NaN.")
    category_set = np.full(len(nodes), -1, np.int64)
    for node in np.flatnonzero(by_category):
        category_set[node] = len(sets)
        sets.append(_categories_that_go_right(nodes[node], predictor.raw_left_cat_bitsets, known))
    return Tree(
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].copy(),
        missing_left=nodes["missing_go_to_left"] != 0,
        values=nodes["value"].astype(np.float64).reshape(-1, 1),
        category_set=category_set,
    )


def _categories_that_go_right(node: Any, left_sets: NDArray[np.uint32], known: Any) -> NDArray[np.uint8]:
    """Returns a 1 for each code that goes right. Codes that training did not know go where missing cells go."""
    known_sets, known_index = known
    goes_left = _bits(left_sets[node["bitset_idx"]])
    is_known = _bits(known_sets[known_index[node["feature_idx"]]])
    goes_right = np.where(goes_left, False, np.where(is_known, True, not node["missing_go_to_left"]))
    goes_right[CATEGORY_CODES - 1] = not node["missing_go_to_left"]
    return goes_right.astype(np.uint8)


def _bits(words: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Returns the 256 bits of a set of categories."""
    return np.unpackbits(np.ascontiguousarray(words, "<u4").view(np.uint8), bitorder="little").astype(bool)


def _category_features(trees: list[Tree]) -> NDArray[np.int64] | None:
    """Returns the columns of categories.

    Raises:
        Declined: a column is tested both as categories and as numbers.
    """
    tested = [tree.feature[tree.inner & (tree.category_set >= 0)] for tree in trees if tree.category_set is not None]
    features = np.unique(np.concatenate([np.empty(0, np.int64), *tested]))
    for tree in trees:
        numeric = tree.feature[tree.inner & (tree.category_set < 0)]  # type: ignore[operator]
        if np.isin(numeric, features).any():
            raise Declined("A column is tested both as categories and as numbers.")
    return features if len(features) else None
