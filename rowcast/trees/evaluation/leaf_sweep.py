"""The tables of the leaf sweep, which evaluates small trees over ranks of one byte."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.trees.evaluation.ensemble import CATEGORY_CODES, Declined, Ensemble, Tree
from rowcast.trees.evaluation.leaf_sweep_kernels import BUCKETS, MOST_IN_A_BUCKET, fill_buckets, sweep_trees

MOST_THRESHOLDS = 254
"""Different thresholds of a column, so that a rank fits into a byte besides the rank of missing cells."""

MOST_LEAVES = 256
"""Leaves of a tree, so that the number of a leaf fits into a byte."""

COPY_BYTES = 8 << 20
"""Rows that are not in C order, or not float64, are copied in blocks of this size."""


@dataclass(frozen=True)
class LeafSweep:
    """An ensemble whose trees have at most 256 leaves, and whose columns have at most 254 thresholds each.

    A *slot* is a column that a node tests. Each slot has two columns of codes: in the first a missing cell goes right
    (255), in the second it goes left (0). A node reads the one that it needs.
    """

    #: Column of each slot.
    features: NDArray[np.int64]
    #: Whether the slot's cells are categories. These have only the first column of codes.
    is_category: NDArray[np.bool_]
    #: Thresholds of all slots, each slot's in ascending order with +inf at its end.
    thresholds: NDArray[np.float64]
    #: Where each slot's thresholds start, shape (slots + 1).
    threshold_starts: NDArray[np.int64]
    #: `(cell - low) * scale` is the cell's bucket.
    low: NDArray[np.float64]
    scale: NDArray[np.float64]
    #: Comparisons after the bucket was looked up; 0 if the slot is searched by halving.
    steps: NDArray[np.int64]
    #: Number of thresholds in the buckets before each bucket, shape (slots, 1,024).
    below: NDArray[np.uint8]
    #: Column of codes that each node reads. Nodes are in pre-order, tree after tree, without leaves.
    node_column: NDArray[np.int32]
    #: A row goes right if its code is larger.
    node_code: NDArray[np.uint8]
    #: Number of the leftmost leaf below the node. Leaves are counted from left to right.
    node_first: NDArray[np.uint8]
    #: Number of the leftmost leaf below the node's right child.
    node_right: NDArray[np.uint8]
    #: Row of `goes_right`, or -1 if the node tests a number.
    node_set: NDArray[np.int32]
    #: Whether a category goes right, shape (sets, 256).
    goes_right: NDArray[np.uint8]
    #: Where each tree's nodes start, shape (trees + 1).
    node_starts: NDArray[np.int64]
    #: What each leaf adds.
    leaf_values: NDArray[np.float64]
    #: Where each tree's leaves start, shape (trees + 1).
    leaf_starts: NDArray[np.int64]
    #: The sum to which each tree adds.
    tree_sum: NDArray[np.int64]

    @property
    def table_bytes(self) -> int:
        """Memory of the tables."""
        return sum(array.nbytes for array in vars(self).values())

    def add_to(self, sums: NDArray[np.float64], rows: NDArray[Any]) -> None:
        """Adds the leaves of every tree, in the order of the trees.

        Args:
            sums: Shape (rows, columns), changed in place.
            rows: Cells as float64 or float32, shape (rows, all features).
        """
        sweep: Any = sweep_trees
        by_column = np.ascontiguousarray(sums.T)
        direct = rows.dtype == np.float64 and rows.flags.c_contiguous
        block = len(rows) if direct else max(1, COPY_BYTES // (8 * max(1, rows.shape[1])))
        tables: Any = tuple(vars(self).values())  # in the order of the fields, which is that of the parameters
        for start in range(0, len(rows), max(1, block)):
            cells = np.ascontiguousarray(rows[start : start + block], np.float64)
            sweep(cells, len(cells), *tables, by_column, start)
        if not sums.flags.f_contiguous:
            sums[...] = by_column.T


def build_leaf_sweep(ensemble: Ensemble) -> LeafSweep:
    """Builds the tables.

    Raises:
        Declined: a tree has too many leaves, or a column too many thresholds.
    """
    if any(tree.values.shape[1] != 1 for tree in ensemble.trees):
        raise Declined("A leaf has several values.")
    features = ensemble.used_features()
    thresholds = ensemble.thresholds()
    of_slots = [thresholds.get(int(feature), np.empty(0)) for feature in features]
    if any(len(own) > MOST_THRESHOLDS + (own[-1] == np.inf) for own in of_slots if len(own)):
        raise Declined(f"A column has more than {MOST_THRESHOLDS} different thresholds.")
    categories = np.empty(0, np.int64) if ensemble.category_features is None else ensemble.category_features
    low, scale, steps, below = _bucket_tables(of_slots)
    lengths = [len(own) + 1 for own in of_slots]
    return LeafSweep(
        features=features,
        is_category=np.isin(features, categories),
        thresholds=np.concatenate([np.empty(0), *(np.append(own, np.inf) for own in of_slots)]),
        threshold_starts=np.cumsum([0, *lengths], dtype=np.int64),
        low=low,
        scale=scale,
        steps=steps,
        below=below,
        tree_sum=ensemble.tree_column,
        **_node_tables(ensemble, features, of_slots),
    )


def _bucket_tables(of_slots: list[NDArray[np.float64]]) -> tuple[NDArray[Any], ...]:
    """Returns low, scale, steps and below of every slot."""
    low, scale = np.zeros(len(of_slots)), np.zeros(len(of_slots))
    steps = np.zeros(len(of_slots), np.int64)
    below = np.zeros((len(of_slots), BUCKETS), np.uint8)
    for slot, own in enumerate(of_slots):
        finite = own[np.isfinite(own)]
        if len(finite) < 2:
            continue
        with np.errstate(all="ignore"):
            factor = BUCKETS / (finite[-1] - finite[0])
        if not (np.isfinite(factor) and factor > 0):
            continue
        largest = fill_buckets(own, finite[0], factor, below[slot])
        if largest <= MOST_IN_A_BUCKET:
            low[slot], scale[slot], steps[slot] = finite[0], factor, largest
    return low, scale, steps, below


def _node_tables(
    ensemble: Ensemble, features: NDArray[np.int64], of_slots: list[NDArray[np.float64]]
) -> dict[str, NDArray[Any]]:
    """Returns the tables of nodes and leaves by field."""
    columns, codes, firsts, rights, sets = [], [], [], [], []
    values = []
    for tree in ensemble.trees:
        inner, leaves, first = _left_to_right(tree)
        if len(leaves) > MOST_LEAVES:
            raise Declined(f"A tree has more than {MOST_LEAVES} leaves.")
        slots = np.searchsorted(features, tree.feature[inner])
        own_sets = np.full(len(inner), -1) if tree.category_set is None else tree.category_set[inner]
        second = tree.missing_left[inner] & (own_sets < 0)
        columns.append(slots + np.where(second, len(features), 0))
        codes.append(_threshold_indices(tree.threshold[inner], slots, own_sets, of_slots))
        firsts.append(first[inner])
        rights.append(first[tree.right[inner]])
        sets.append(own_sets)
        values.append(tree.values[leaves, 0])
    goes_right = np.zeros((0, CATEGORY_CODES), np.uint8) if ensemble.goes_right is None else ensemble.goes_right
    return {
        "node_column": _joined(columns, np.int32),
        "node_code": _joined(codes, np.uint8),
        "node_first": _joined(firsts, np.uint8),
        "node_right": _joined(rights, np.uint8),
        "node_set": _joined(sets, np.int32),
        "goes_right": goes_right,
        "node_starts": np.cumsum([0, *map(len, columns)], dtype=np.int64),
        "leaf_values": _joined(values, np.float64),
        "leaf_starts": np.cumsum([0, *map(len, values)], dtype=np.int64),
    }


def _threshold_indices(
    thresholds: NDArray[np.float64],
    slots: NDArray[np.int64],
    sets: NDArray[np.int64],
    of_slots: list[NDArray[np.float64]],
) -> NDArray[np.int64]:
    """Returns the place of each node's threshold among those of its slot; 0 for nodes that test categories."""
    found = np.zeros(len(thresholds), np.int64)
    for slot in np.unique(slots[sets < 0]):
        here = (slots == slot) & (sets < 0)
        found[here] = np.searchsorted(of_slots[slot], thresholds[here])
    return found


def _left_to_right(tree: Tree) -> tuple[list[int], list[int], NDArray[np.int64]]:
    """Returns the inner nodes in pre-order, the leaves from left to right, and each node's leftmost leaf's number."""
    left, right = tree.left.tolist(), tree.right.tolist()
    first = [0] * len(left)
    inner: list[int] = []
    leaves: list[int] = []
    waiting = [0]
    while waiting:
        node = waiting.pop()
        first[node] = len(leaves)
        if left[node] < 0:
            leaves.append(node)
        else:
            inner.append(node)
            waiting += [right[node], left[node]]
    return inner, leaves, np.array(first, np.int64)


def _joined(pieces: list[NDArray[Any]], kind: Any) -> NDArray[Any]:
    return np.concatenate([np.empty(0, kind), *pieces]).astype(kind)
