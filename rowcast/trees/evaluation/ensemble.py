"""An ensemble of decision trees as plain arrays, whichever estimator it was read from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

CATEGORY_CODES = 256
"""Codes of categories: 0 to 254, and 255 for a missing one."""


class Declined(Exception):
    """The estimator cannot be taken. The message says why, as a sentence for people."""


@dataclass(frozen=True)
class Tree:
    """One tree. Node 0 is its root."""

    #: Left child of each node, -1 if it is a leaf.
    left: NDArray[np.int64]
    #: Right child of each node.
    right: NDArray[np.int64]
    #: Column that the node tests.
    feature: NDArray[np.int64]
    #: A row goes left if its cell is at most this.
    threshold: NDArray[np.float64]
    #: Whether a row goes left if its cell is missing.
    missing_left: NDArray[np.bool_]
    #: What a leaf adds to a row's sums, shape (nodes, width).
    values: NDArray[np.float64]
    #: Row of the ensemble's `goes_right` by which the node tests a category; -1 if it tests a number.
    category_set: NDArray[np.int64] | None = None

    @property
    def inner(self) -> NDArray[np.bool_]:
        """Whether a node has children."""
        return np.asarray(self.left >= 0)

    def weights_by_depth(self, weight: NDArray[np.float64]) -> list[float]:
        """Returns the training weight of the leaves at each depth."""
        level = np.zeros(1, np.int64)
        found = []
        while len(level):
            is_inner = self.left[level] >= 0
            found.append(float(weight[level[~is_inner]].sum()))
            level = np.stack([self.left[level[is_inner]], self.right[level[is_inner]]], 1).ravel()
        return found


@dataclass(frozen=True)
class Ensemble:
    """Trees whose leaves are added up, row by row, in the order of the trees."""

    trees: list[Tree]
    #: Number of sums of a row.
    columns: int
    #: First sum to which each tree adds.
    tree_column: NDArray[np.int64]
    #: Training weight of each node of each tree, which says how deep rows usually go; None if it is not known.
    weights: list[NDArray[np.float64]] | None = None
    #: Whether a row with the category code goes right, shape (sets, 256).
    goes_right: NDArray[np.uint8] | None = None
    #: Columns of categories.
    category_features: NDArray[np.int64] | None = None

    def used_features(self) -> NDArray[np.int64]:
        """Returns the columns that a node tests, in ascending order."""
        return np.unique(np.concatenate([np.empty(0, np.int64), *(tree.feature[tree.inner] for tree in self.trees)]))

    def thresholds(self) -> dict[int, NDArray[np.float64]]:
        """Returns the distinct thresholds of each column that nodes test as a number, in ascending order."""
        features, thresholds = [np.empty(0, np.int64)], [np.empty(0, np.float64)]
        for tree in self.trees:
            numeric = tree.inner if tree.category_set is None else tree.inner & (tree.category_set < 0)
            features.append(tree.feature[numeric])
            thresholds.append(tree.threshold[numeric])
        feature, threshold = np.concatenate(features), np.concatenate(thresholds)
        order = np.argsort(feature, kind="stable")
        found, starts = np.unique(feature[order], return_index=True)
        pieces = np.split(threshold[order], starts[1:]) if len(found) else []
        return {int(one): np.unique(piece) for one, piece in zip(found, pieces, strict=True)}


def require_attributes(estimator: Any, names: tuple[str, ...]) -> None:
    """Raises `Declined` if an attribute is missing, as in another version of scikit-learn."""
    missing = [name for name in names if not hasattr(estimator, name)]
    if missing:
        text = ", ".join(missing)
        raise Declined(f"This version of scikit-learn keeps the trees in another way ({text} is missing).")


def require_fields(nodes: NDArray[Any], expected: set[str]) -> None:
    """Raises `Declined` if the nodes have other fields than those that we know."""
    if set(nodes.dtype.names or ()) != expected:
        raise Declined("This version of scikit-learn has other fields in the nodes of its trees.")
