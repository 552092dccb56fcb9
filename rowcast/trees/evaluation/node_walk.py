"""The tables of the node walk, which evaluates trees of any size over nodes of eight bytes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.trees.evaluation.ensemble import Declined, Ensemble, Tree
from rowcast.trees.evaluation.node_walk_kernels import LANES, LARGEST_KEY, walk_trees, write_keys, write_keys_with_nan

KEY_BYTES = 16 << 20
"""Memory for the keys of one block of rows."""

MOST_BLOCK_ROWS = 32_768
"""Rows of a block. Large blocks read each tree's nodes seldom, small ones stay in the cache."""

_WORD_BITS = 32


@dataclass(frozen=True)
class NodeWalk:
    """An ensemble of trees over float32 cells.

    A *slot* is a column that a node tests. A *key* is an integer that is ordered as the float32 it stands for, so that
    `cell <= threshold` is a comparison of integers, and missing cells are the largest or the smallest integer.
    """

    #: Column of each slot.
    features: NDArray[np.int64]
    #: Two words for each node: the threshold's key; and the left child, shifted, with the slot in the lower bits. The
    #: right child follows the left one. A leaf is its own child and has the largest key.
    nodes: NDArray[np.uint32]
    #: What is added to a node's second word if missing cells go left: number of slots, or 0.
    missing_offset: NDArray[np.uint32]
    #: Bits of a node's second word that hold the slot.
    shift: np.uint32
    #: Where each tree's nodes start, shape (trees + 1).
    tree_starts: NDArray[np.int64]
    #: Steps for each tree: negative if all rows walk this far, otherwise the rows not at a leaf then go on in rounds.
    plans: NDArray[np.int64]
    #: What each node adds, shape (nodes, width).
    values: NDArray[np.float64]
    #: First sum to which each tree adds.
    tree_column: NDArray[np.int64]

    @cached_property
    def nodes_for_missing(self) -> NDArray[np.uint32]:
        """The nodes for blocks with missing cells, made when the first one comes: they read a second key per slot."""
        if not self.missing_offset.any():
            return self.nodes
        nodes = self.nodes.copy()
        nodes[:, 1] += self.missing_offset
        return nodes

    def __getstate__(self) -> dict[str, Any]:
        """Includes the nodes for missing cells, so that processes which share the tables share these, too."""
        _ = self.nodes_for_missing
        return vars(self)

    @property
    def table_bytes(self) -> int:
        """Memory of the tables, including the nodes for missing cells if they were made."""
        return sum(value.nbytes for value in vars(self).values())

    @property
    def block_rows(self) -> int:
        """Rows of a block, so that its keys fit into the memory that is meant for them."""
        return max(LANES, min(MOST_BLOCK_ROWS, KEY_BYTES // (8 * max(1, len(self.features))) // LANES * LANES))

    def add_to(self, sums: NDArray[np.float64], rows: NDArray[np.float32]) -> None:
        """Adds the leaves of every tree, in the order of the trees.

        Args:
            sums: Shape (rows, columns), changed in place.
            rows: Cells, shape (rows, all features).
        """
        by_row = np.ascontiguousarray(sums)
        block = self.block_rows
        if not rows.flags.c_contiguous:  # each block is copied
            block = max(LANES, min(block, KEY_BYTES // (4 * rows.shape[1])))
        for start in range(0, len(rows), block):
            part = np.ascontiguousarray(rows[start : start + block], np.float32).view(np.int32)
            keys, missing = self._keys(part)
            nodes = self.nodes_for_missing if missing else self.nodes
            tables = (nodes, self.shift, self.tree_starts, self.plans, self.values, self.tree_column)
            walk_trees(keys, len(part), *tables, by_row, start)
        if by_row is not sums:
            sums[...] = by_row

    def _keys(self, bits: NDArray[np.int32]) -> tuple[NDArray[np.int32], bool]:
        """Returns the rows' keys, with rows of zeros behind them, and whether there are missing cells."""
        slots = len(self.features)
        shape = (len(bits) + LANES, slots)
        keys = np.empty(shape, np.int32)
        keys[len(bits) :] = 0
        if not write_keys(bits, self.features, keys):
            return keys, False
        keys = np.empty((shape[0], 2 * slots), np.int32)
        keys[len(bits) :] = 0
        write_keys_with_nan(bits, self.features, keys)
        return keys, True


def build_node_walk(ensemble: Ensemble) -> NodeWalk:
    """Builds the tables.

    Raises:
        Declined: a tree has too many nodes for the number of columns that are tested.
    """
    features = ensemble.used_features()
    shift = max(1, int(2 * len(features) - 1).bit_length())
    most_nodes = 1 << (_WORD_BITS - shift)
    largest = max(len(tree.left) for tree in ensemble.trees)
    if largest > most_nodes:
        raise Declined(
            f"A tree has {largest:,} nodes; with {len(features):,} tested columns, at most {most_nodes:,} are possible."
        )
    weights = ensemble.weights or [np.ones(len(tree.left)) for tree in ensemble.trees]
    parts = [_pack(tree, features, shift) for tree in ensemble.trees]
    return NodeWalk(
        features,
        np.concatenate([nodes for nodes, _, _ in parts]),
        np.concatenate([offset for _, offset, _ in parts]),
        np.uint32(shift),
        np.cumsum([0, *(len(nodes) for nodes, _, _ in parts)], dtype=np.int64),
        np.array([_plan(tree.weights_by_depth(one)) for tree, one in zip(ensemble.trees, weights, strict=True)]),
        np.ascontiguousarray(np.concatenate([values for _, _, values in parts])),
        ensemble.tree_column,
    )


def _pack(tree: Tree, features: NDArray[np.int64], shift: int) -> tuple[NDArray[Any], ...]:
    """Returns a tree's nodes in the order of breadth, their offsets for missing cells, and their values."""
    count = len(tree.left)
    order, place = _by_breadth(tree)
    inner = tree.inner[order]
    child = np.where(inner, place[tree.left[order]], np.arange(count)).astype(np.uint32)
    slot = np.where(inner, np.searchsorted(features, tree.feature[order]), 0).astype(np.uint32)
    nodes = np.empty((count, 2), np.uint32)
    keys = np.where(inner, ordered_keys(rounded_down(tree.threshold[order])), LARGEST_KEY)
    nodes[:, 0] = keys.astype(np.int32).view(np.uint32)
    nodes[:, 1] = (child << np.uint32(shift)) | slot
    offset = np.where(inner & tree.missing_left[order], len(features), 0).astype(np.uint32)
    return nodes, offset, tree.values[order]


def _by_breadth(tree: Tree) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the nodes level by level, children next to each other, and the place of each node in that order."""
    order = np.empty(len(tree.left), np.int64)
    level, done = np.zeros(1, np.int64), 0
    while len(level):
        order[done : done + len(level)] = level
        done += len(level)
        inner = level[tree.left[level] >= 0]
        level = np.stack([tree.left[inner], tree.right[inner]], 1).ravel()
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return order, place


def _plan(weight_by_depth: list[float]) -> int:
    """Returns how a tree is walked. If most rows go nearly to its end, all are taken there without looking."""
    depth = len(weight_by_depth) - 1
    total = sum(weight_by_depth)
    mean = sum(level * weight for level, weight in enumerate(weight_by_depth)) / total if total else depth
    return -depth if depth <= 1.4 * mean + 1 else int(mean)


def rounded_down(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """Returns the largest float32 not above each threshold. A float32 is at most that if at most the threshold."""
    with np.errstate(over="ignore"):
        nearest = thresholds.astype(np.float32)
    below = np.nextafter(nearest, np.float32(-np.inf))
    return np.asarray(np.where(nearest.astype(np.float64) > thresholds, below, nearest), np.float32)


def ordered_keys(numbers: NDArray[np.float32]) -> NDArray[np.int32]:
    """Returns an integer for each number, in the order of the numbers. -0.0 has the key of 0.0."""
    bits = (numbers + np.float32(0)).view(np.int32)
    return np.asarray(bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF)))
