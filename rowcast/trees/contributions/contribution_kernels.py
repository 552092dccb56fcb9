"""The compiled function of path-dependent TreeSHAP (Lundberg et al., 2018).

A feature's Shapley value in a leaf is an integral over t from 0 to 1. Its integrand is a product over the features of
the path: `t * o + (1 - t) * z` for each other feature, where o says whether the row passes the feature's tests and z is
the share of training rows that do. The integrand is a polynomial in t, so Gauss-Legendre quadrature has no error, and
no factor is negative, so nothing cancels. Each tree is passed twice: products go down, sums of leaves go up.
"""

from typing import Any

import numpy as np
from numba import float64, int64, njit, uint8, void

from rowcast.compiling import compiled, table

LEFT, RIGHT, FEATURE, MISSING_LEFT, CATEGORY_SET, PARENT, ABOVE = range(7)
"""Columns of the table of nodes. `ABOVE` is the nearest node on the path with a test of the same feature before it."""


@njit
def _goes_left(nodes: Any, thresholds: Any, goes_right: Any, rows: Any, row: Any, node: Any) -> Any:
    cell = rows[row, nodes[node, FEATURE]]
    category = nodes[node, CATEGORY_SET]
    if np.isnan(cell):
        return nodes[node, MISSING_LEFT] != 0
    if category < 0:
        return cell <= thresholds[node]
    if not 0 <= cell < 255:
        return nodes[node, MISSING_LEFT] != 0
    return goes_right[category, int(cell)] == 0


@compiled(
    void(
        *(table(float64, 2), table(int64, 1), table(int64, 1), table(int64, 1), table(int64, 2)),
        *(table(float64, 1), table(float64, 1), table(uint8, 2), table(float64, 3), table(float64, 2)),
        float64[:, ::1],
    )
)  # fmt: skip
def add_contributions(
    rows: Any, sum_of_row: Any, tree_starts: Any, tree_sums: Any, nodes: Any, thresholds: Any, values: Any,
    goes_right: Any, factors: Any, quadrature: Any, found: Any,
) -> None:  # fmt: skip
    """Adds each feature's contribution to `found`, shape (rows, features), for one sum of each row.

    The tables are those of `PathTables`. `factors[node]` has for each point of the quadrature: 0 the factor if the row
    passes, 1 its ratio to the factor above, 2 the ratio of the factor if it does not pass, 3 the weighted gain if it
    passes. `quadrature` has 0 the gain if the row does not pass. All children come after their parents.
    """
    points = quadrature.shape[1]
    most = 0
    for tree in range(tree_starts.shape[0] - 1):
        most = max(most, tree_starts[tree + 1] - tree_starts[tree])
    product = np.empty((most, points))
    leaves = np.empty((most, points))
    passes = np.empty(most, np.bool_)
    left = np.empty(most, np.bool_)
    for tree in range(tree_starts.shape[0] - 1):
        first, end = tree_starts[tree], tree_starts[tree + 1]
        for row in range(rows.shape[0]):
            if tree_sums[tree] != sum_of_row[row]:
                continue
            product[0] = 1.0
            passes[0] = True
            for node in range(first, end):
                i = node - first
                if node > first:
                    parent, above = nodes[node, PARENT] - first, nodes[node, ABOVE] - first
                    passed = left[parent] == (nodes[nodes[node, PARENT], LEFT] == node)
                    if above >= 0:
                        passed &= passes[above]
                    passes[i] = passed
                    which = 1 if passed else 2
                    if above >= 0 and not passes[above]:
                        # Both factors are those of rows that do not pass, so their ratio is that of the shares.
                        ratio = factors[node, 4, 0]
                        for point in range(points):
                            product[i, point] = product[parent, point] * ratio
                    else:
                        for point in range(points):
                            product[i, point] = product[parent, point] * factors[node, which, point]
                if nodes[node, LEFT] < 0:
                    for point in range(points):
                        leaves[i, point] = product[i, point] * values[node]
                else:
                    left[i] = _goes_left(nodes, thresholds, goes_right, rows, row, node)
                    for point in range(points):
                        leaves[i, point] = 0.0
            for node in range(end - 1, first, -1):
                i = node - first
                parent, above = nodes[node, PARENT] - first, nodes[node, ABOVE] - first
                contribution = 0.0
                if above < 0 or passes[above]:
                    for point in range(points):
                        gain = factors[node, 3, point] if passes[i] else quadrature[0, point]
                        if above >= 0:
                            gain -= factors[nodes[node, ABOVE], 3, point]
                        contribution += leaves[i, point] * gain
                for point in range(points):
                    leaves[parent, point] += leaves[i, point]
                found[row, nodes[nodes[node, PARENT], FEATURE]] += contribution
