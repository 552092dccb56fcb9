"""The compiled functions of the leaf sweep, with the ranks that it compares.

They are in one file because numba's cache notices changes of a function's own file only.
"""

from typing import Any

import numpy as np
from numba import boolean, float64, int32, int64, njit, uint8, void

from rowcast.compiling import compiled, table

BLOCK_ROWS = 512
"""Rows whose ranks and leaves are held at a time. They stay in the processor's first cache."""

BUCKETS = 1024
"""Number of equal intervals by which a rank is looked up first."""

MOST_IN_A_BUCKET = 4
"""If more thresholds fall into one bucket, binary search is faster."""

MISSING = 255
"""The rank of a missing cell that goes right, and the code of a missing category. No number has it."""


@njit
def _bucket(cell: float, low: float, scale: float) -> Any:
    """Returns the cell's bucket. It never falls as the cell grows, even after rounding; NaN has bucket 0."""
    place = (cell - low) * scale
    place = place if place > 0.0 else 0.0
    place = place if place < BUCKETS - 1.0 else BUCKETS - 1.0
    return np.int32(place)


@compiled(int64(table(float64, 1), float64, float64, uint8[::1]))
def fill_buckets(thresholds: Any, low: float, scale: float, below: Any) -> int:
    """Writes into `below[b]` how many thresholds are in the buckets before b. Returns the largest bucket's number."""
    counts = np.zeros(BUCKETS, np.int64)
    largest = 0
    for index in range(thresholds.shape[0]):
        bucket = _bucket(thresholds[index], low, scale)
        counts[bucket] += 1
        largest = max(largest, counts[bucket])
    total = 0
    for bucket in range(BUCKETS):
        below[bucket] = total
        total += counts[bucket]
    return largest


@njit
def _rank(cells: Any, rows: int, thresholds: Any, low: float, scale: float, steps: int, below: Any, ranks: Any) -> None:
    """Writes how many thresholds are smaller than each cell, except for the last comparison.

    `thresholds` is ascending and ends with +inf. The loops run over rows and do not branch, so they are vectorised.
    """
    if steps > 0:
        for row in range(rows):
            ranks[row] = np.int32(below[_bucket(cells[row], low, scale)])
        for _ in range(steps - 1):
            for row in range(rows):
                ranks[row] += np.int32(1) if thresholds[ranks[row]] < cells[row] else np.int32(0)
        return
    for row in range(rows):
        ranks[row] = 0
    length = thresholds.shape[0] - 1
    while length > 1:
        half = length >> 1
        for row in range(rows):
            rank = ranks[row]
            ranks[row] = rank + (np.int32(half) if thresholds[rank + half - 1] < cells[row] else np.int32(0))
        length -= half


@njit
def _write_codes(cells: Any, rows: int, thresholds: Any, ranks: Any, right: Any, left: Any) -> None:
    """Finishes the ranks. A missing cell goes right in the column `right`, and left in the column `left`."""
    for row in range(rows):
        cell = cells[row]
        rank = ranks[row] + (1 if thresholds[ranks[row]] < cell else 0)
        missing = np.isnan(cell)
        right[row] = np.uint8(MISSING) if missing else np.uint8(rank)
        left[row] = np.uint8(0) if missing else np.uint8(rank)


@njit
def _write_categories(cells: Any, rows: int, column: Any) -> None:
    """Writes the cells' categories. Missing and negative cells are missing, as in scikit-learn."""
    for row in range(rows):
        cell = cells[row]
        column[row] = np.uint8(cell) if cell >= 0.0 else np.uint8(MISSING)


@njit
def _pass_node(leaves: Any, column: Any, code: Any, first: Any, right: Any, rows: int) -> None:
    """Sends the rows that are at the node to its left or right child.

    A row is at a node if its leaf is the leftmost one below the node. That is so in pre-order, because the nodes
    before it have moved all other rows elsewhere. A row that goes left keeps its leaf.
    """
    for row in range(rows):
        leaves[row] = right if (column[row] > code) & (leaves[row] == first) else leaves[row]


@njit
def _pass_category_node(leaves: Any, column: Any, goes_right: Any, first: Any, right: Any, rows: int) -> None:
    """Does the same at a node that tests categories."""
    for row in range(rows):
        leaves[row] = right if (goes_right[column[row]] != 0) & (leaves[row] == first) else leaves[row]


@compiled(
    void(
        table(float64, 2), int64, *(table(int64, 1), table(boolean, 1), table(float64, 1), table(int64, 1)),
        *(table(float64, 1), table(float64, 1), table(int64, 1), table(uint8, 2)),
        *(table(int32, 1), table(uint8, 1), table(uint8, 1), table(uint8, 1), table(int32, 1), table(uint8, 2)),
        *(table(int64, 1), table(float64, 1), table(int64, 1), table(int64, 1)),
        float64[:, ::1], int64,
    )
)  # fmt: skip
def sweep_trees(
    cells: Any, rows: int, features: Any, is_category: Any, thresholds: Any, threshold_starts: Any,
    low: Any, scale: Any, steps: Any, below: Any,
    node_column: Any, node_code: Any, node_first: Any, node_right: Any, node_set: Any, goes_right: Any,
    node_starts: Any, leaf_values: Any, leaf_starts: Any, tree_sum: Any,
    sums: Any, first_row: int,
) -> None:  # fmt: skip
    """Adds the leaf of every tree to `sums[tree_sum[tree], first_row + row]`, tree after tree.

    `cells` has the shape (rows, features), the tables are those of `LeafSweep`.
    """
    block = min(BLOCK_ROWS, rows)
    slots = features.shape[0]
    codes = np.empty((2 * slots, block), np.uint8)
    ranks = np.empty(block, np.int32)
    column = np.empty(block, np.float64)
    leaves = np.empty(block, np.uint8)
    for start in range(0, rows, block):
        count = min(block, rows - start)
        for slot in range(slots):
            for row in range(count):
                column[row] = cells[start + row, features[slot]]
            if is_category[slot]:
                _write_categories(column, count, codes[slot])
                continue
            own = thresholds[threshold_starts[slot] : threshold_starts[slot + 1]]
            _rank(column, count, own, low[slot], scale[slot], steps[slot], below[slot], ranks)
            _write_codes(column, count, own, ranks, codes[slot], codes[slots + slot])
        for tree in range(tree_sum.shape[0]):
            for row in range(count):
                leaves[row] = 0
            for node in range(node_starts[tree], node_starts[tree + 1]):
                of_node = codes[node_column[node]]
                if node_set[node] < 0:
                    _pass_node(leaves, of_node, node_code[node], node_first[node], node_right[node], count)
                else:
                    of_set = goes_right[node_set[node]]
                    _pass_category_node(leaves, of_node, of_set, node_first[node], node_right[node], count)
            target = sums[tree_sum[tree]]
            first_leaf = leaf_starts[tree]
            for row in range(count):
                target[first_row + start + row] += leaf_values[first_leaf + leaves[row]]
