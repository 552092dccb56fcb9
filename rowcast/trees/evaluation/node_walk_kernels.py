"""The compiled functions of the node walk, which takes rows from node to node, eight at a time.

They are in one file because numba's cache notices changes of a function's own file only.
"""

from typing import Any

import numpy as np
from numba import boolean, float64, int32, int64, njit, uint32, void

from rowcast.compiling import compiled, table

LANES = 8
"""Rows that are walked at once, so that the processor waits for eight loads from memory at a time."""

ROUND_STEPS = 3
"""Steps between two looks at which rows have reached their leaf."""

LARGEST_KEY = np.int32(2**31 - 1)
SMALLEST_KEY = np.int32(-(2**31))


@njit
def _key(bits: Any) -> Any:
    """Returns an integer that is ordered as the float32 with these bits. -0.0 comes just before 0.0."""
    return bits ^ ((bits >> np.int32(31)) & np.int32(0x7FFFFFFF))


@njit
def _is_nan(bits: Any) -> Any:
    return (bits & np.int32(0x7FFFFFFF)) > np.int32(0x7F800000)


@compiled(boolean(table(int32, 2), table(int64, 1), int32[:, ::1]))
def write_keys(bits: Any, features: Any, keys: Any) -> bool:
    """Writes the keys of float32 cells, given as their bits. Returns whether a cell is NaN; then the keys are wrong.

    `bits` has the shape (rows, all features), `keys` at least (rows, used features).
    """
    nan = False
    for row in range(bits.shape[0]):
        for slot in range(features.shape[0]):
            cell = bits[row, features[slot]]
            nan |= _is_nan(cell)
            keys[row, slot] = _key(cell)
    return nan


@compiled(void(table(int32, 2), table(int64, 1), int32[:, ::1]))
def write_keys_with_nan(bits: Any, features: Any, keys: Any) -> None:
    """Writes each key twice: NaN is the largest key in the first half of a row and the smallest in the second."""
    slots = features.shape[0]
    for row in range(bits.shape[0]):
        for slot in range(slots):
            cell = bits[row, features[slot]]
            nan = _is_nan(cell)
            keys[row, slot] = LARGEST_KEY if nan else _key(cell)
            keys[row, slots + slot] = SMALLEST_KEY if nan else _key(cell)


@njit
def _step(nodes: Any, keys: Any, row: Any, node: Any, shift: Any, mask: Any) -> Any:
    """Returns the child of the node to which the row goes. A leaf is its own child."""
    word = nodes[node, 1]
    return np.uint32((word >> shift) + np.uint32(keys[row, word & mask] > np.int32(nodes[node, 0])))


@njit
def _walk_eight(
    nodes: Any, keys: Any, steps: Any, shift: Any, mask: Any, at: Any,
    r0: Any, r1: Any, r2: Any, r3: Any, r4: Any, r5: Any, r6: Any, r7: Any,
) -> None:  # fmt: skip
    """Takes eight rows some steps further. Eight variables, not an array: they are kept in registers."""
    n0, n1, n2, n3, n4, n5, n6, n7 = at[r0], at[r1], at[r2], at[r3], at[r4], at[r5], at[r6], at[r7]
    for _ in range(steps):
        n0 = _step(nodes, keys, r0, n0, shift, mask)
        n1 = _step(nodes, keys, r1, n1, shift, mask)
        n2 = _step(nodes, keys, r2, n2, shift, mask)
        n3 = _step(nodes, keys, r3, n3, shift, mask)
        n4 = _step(nodes, keys, r4, n4, shift, mask)
        n5 = _step(nodes, keys, r5, n5, shift, mask)
        n6 = _step(nodes, keys, r6, n6, shift, mask)
        n7 = _step(nodes, keys, r7, n7, shift, mask)
    at[r0], at[r1], at[r2], at[r3], at[r4], at[r5], at[r6], at[r7] = n0, n1, n2, n3, n4, n5, n6, n7


@njit
def _walk_all(nodes: Any, keys: Any, steps: Any, shift: Any, mask: Any, at: Any, rows: Any) -> None:
    """Takes all rows some steps further. Eight follow each other in memory, also behind the last row."""
    for r in range(0, rows, LANES):
        _walk_eight(nodes, keys, steps, shift, mask, at, r, r + 1, r + 2, r + 3, r + 4, r + 5, r + 6, r + 7)


@njit
def _walk_rest(nodes: Any, keys: Any, shift: Any, mask: Any, at: Any, rows: Any, active: Any) -> None:
    """Walks the rows that have not reached a leaf, in rounds, until all have. Row `rows` fills up the last eight."""
    count = 0
    for row in range(rows):
        active[count] = row
        count += 1 if (nodes[at[row], 1] >> shift) != at[row] else 0
    while count > 0:
        for index in range(count, (count + LANES - 1) // LANES * LANES):
            active[index] = rows
        for i in range(0, count, LANES):
            _walk_eight(
                nodes, keys, ROUND_STEPS, shift, mask, at,
                active[i], active[i + 1], active[i + 2], active[i + 3],
                active[i + 4], active[i + 5], active[i + 6], active[i + 7],
            )  # fmt: skip
        left = 0
        for index in range(count):
            row = active[index]
            active[left] = row
            left += 1 if (nodes[at[row], 1] >> shift) != at[row] else 0
        count = left


@njit
def _add_leaves(values: Any, at: Any, rows: Any, sums: Any, first_row: Any, column: Any) -> None:
    """Adds the values of each row's leaf. Two usual widths have faster loops."""
    width = values.shape[1]
    if width == 1:
        for row in range(rows):
            sums[first_row + row, column] += values[at[row], 0]
    elif width == 2:
        for row in range(rows):
            node = at[row]
            sums[first_row + row, column] += values[node, 0]
            sums[first_row + row, column + 1] += values[node, 1]
    else:
        for row in range(rows):
            for index in range(width):
                sums[first_row + row, column + index] += values[at[row], index]


@compiled(
    void(
        table(int32, 2), int64, table(uint32, 2), uint32, table(int64, 1), table(int64, 1),
        *(table(float64, 2), table(int64, 1), float64[:, ::1], int64),
    )
)  # fmt: skip
def walk_trees(
    keys: Any, rows: int, nodes: Any, shift: Any, tree_starts: Any, plans: Any,
    values: Any, tree_column: Any, sums: Any, first_row: int,
) -> None:  # fmt: skip
    """Adds the leaf of every tree to `sums[first_row + row, tree_column[tree]:]`, tree after tree.

    `keys` has at least `rows + 8` rows; the tables are those of `NodeWalk`.
    """
    one = np.uint32(1)
    mask = (one << shift) - one
    at = np.zeros(keys.shape[0], np.uint32)
    active = np.zeros(keys.shape[0], np.uint32)
    for tree in range(plans.shape[0]):
        of_tree = nodes[tree_starts[tree] : tree_starts[tree + 1]]
        at[:] = 0
        if plans[tree] < 0:
            _walk_all(of_tree, keys, -plans[tree], shift, mask, at, rows)
        else:
            _walk_all(of_tree, keys, plans[tree], shift, mask, at, rows)
            _walk_rest(of_tree, keys, shift, mask, at, rows, active)
        of_tree_values = values[tree_starts[tree] : tree_starts[tree + 1]]
        _add_leaves(of_tree_values, at, rows, sums, first_row, tree_column[tree])
