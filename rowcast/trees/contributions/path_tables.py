"""The tables by which the contributions of features to an ensemble are found, and how they are built."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import ensemble

from rowcast.trees.ensemble_reading import read_boosting, read_classic_boosting
from rowcast.trees.evaluation.ensemble import Declined, Ensemble, Tree
from rowcast.trees.fast_copies import plain_class

MOST_TABLE_BYTES = 256 * 1024**2
"""Memory that the tables of one model may take in each worker process."""

_FACTORS = 5


@dataclass(frozen=True)
class PathTables:
    """The nodes of all trees, each parent before its children. The columns are those of `add_contributions`."""

    #: First node of each tree, and behind the last one the number of all nodes.
    tree_starts: NDArray[np.int64]
    #: The sum to which each tree adds.
    tree_sums: NDArray[np.int64]
    #: Shape (nodes, 7).
    nodes: NDArray[np.int64]
    #: The threshold of each node.
    thresholds: NDArray[np.float64]
    #: What each leaf adds.
    values: NDArray[np.float64]
    #: As in `Ensemble`.
    goes_right: NDArray[np.uint8]
    #: Shape (nodes, 5, points of the quadrature).
    factors: NDArray[np.float64]
    #: Shape (1, points).
    quadrature: NDArray[np.float64]
    #: Mean of the trees' leaves over the training rows for each sum, without the estimator's first prediction.
    means: NDArray[np.float64]

    def contributions(
        self, rows: NDArray[np.float64], sum_of_row: NDArray[np.int64], features: int
    ) -> NDArray[np.float64]:
        """Returns each feature's contribution to one sum of each row, shape (rows, features)."""
        from rowcast.trees.contributions.contribution_kernels import add_contributions

        found = np.zeros((len(rows), features))
        tables = (self.tree_starts, self.tree_sums, self.nodes, self.thresholds, self.values, self.goes_right)
        add_contributions(np.ascontiguousarray(rows), sum_of_row, *tables, self.factors, self.quadrature, found)
        return found


def path_tables(estimator: Any) -> PathTables:
    """Returns the tables of one of scikit-learn's boosting estimators.

    Raises:
        Declined: the trees cannot be read, a child has no training rows, or the tables are too large.
    """
    if plain_class(estimator) in HISTOGRAM:
        trees = read_boosting(estimator)
        weights = [one.nodes["count"].astype(np.float64) for iteration in estimator._predictors for one in iteration]
    else:
        trees = read_classic_boosting(estimator)
        weights = trees.weights or []
    return _tables_of(trees, weights)


HISTOGRAM = (ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor)
"""The exact classes of boosting by histograms."""

CLASSIC = (ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor)
"""The exact classes of boosting as it was before."""


def _tables_of(trees: Ensemble, weights: list[NDArray[np.float64]]) -> PathTables:
    orders = [_preorder(tree) for tree in trees.trees]
    starts = np.cumsum([0, *map(len, orders)]).astype(np.int64)
    parts = [
        _nodes_of(tree, order, start, weight)
        for tree, order, start, weight in zip(trees.trees, orders, starts[:-1].tolist(), weights, strict=True)
    ]
    nodes = np.concatenate([part[0] for part in parts])
    shares = np.concatenate([part[1] for part in parts])
    points = max(1, (max(part[2] for part in parts) + 1) // 2)
    if len(nodes) * points * _FACTORS * 8 > MOST_TABLE_BYTES:
        raise Declined(f"Its trees have {len(nodes):,} nodes, whose tables would need too much memory.")
    factors, quadrature = _factors(nodes, shares, points)
    ordered = list(zip(trees.trees, orders, strict=True))
    values = np.concatenate([tree.values[order, 0] for tree, order in ordered])
    means = np.zeros(trees.columns)
    np.add.at(means, trees.tree_column, [part[3] for part in parts])
    return PathTables(
        tree_starts=starts,
        tree_sums=np.ascontiguousarray(trees.tree_column, np.int64),
        nodes=nodes,
        thresholds=np.concatenate([tree.threshold[order] for tree, order in ordered]).astype(np.float64),
        values=np.ascontiguousarray(values, np.float64),
        goes_right=np.zeros((1, 256), np.uint8) if trees.goes_right is None else trees.goes_right,
        factors=factors,
        quadrature=quadrature,
        means=means,
    )


def _preorder(tree: Tree) -> NDArray[np.int64]:
    """Returns the tree's nodes, each before its children."""
    waiting, order = [0], []
    left, right = tree.left.tolist(), tree.right.tolist()
    while waiting:
        node = waiting.pop()
        order.append(node)
        if left[node] >= 0:
            waiting += [right[node], left[node]]
    return np.array(order, np.int64)


def _nodes_of(
    tree: Tree, order: NDArray[np.int64], start: int, weight: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64], int, float]:
    """Returns the table of a tree's nodes, the share of each, the most features of a path, and the mean of the leaves.

    The share of a node is that of the training rows that pass every test of its feature on its path.
    """
    new = np.empty(len(tree.left), np.int64)
    new[order] = np.arange(start, start + len(order))
    inner = tree.inner[order]
    nodes = np.full((len(order), 7), -1, np.int64)
    nodes[inner, 0], nodes[inner, 1] = new[tree.left[order][inner]], new[tree.right[order][inner]]
    nodes[:, 2], nodes[:, 3] = np.maximum(tree.feature[order], 0), tree.missing_left[order]
    if tree.category_set is not None:
        nodes[:, 4] = tree.category_set[order]
    for child in (0, 1):
        nodes[nodes[inner, child] - start, 5] = np.flatnonzero(inner) + start
    ordered = weight[order]
    if not (ordered > 0).all():
        raise Declined("A node of its trees has no training rows.")
    shares, most, mean = _shares(nodes, ordered.tolist(), tree.values[order, 0].tolist(), start)
    return nodes, shares, most, mean


def _shares(
    nodes: NDArray[np.int64], weights: list[float], values: list[float], start: int
) -> tuple[NDArray[np.float64], int, float]:
    """Returns the shares, the most features of a path, and the mean. It fills the column of the nodes above."""
    paths: list[dict[int, int]] = [{}]
    shares, mean = [1.0], 0.0
    reached = [1.0]
    rows = nodes.tolist()
    for place in range(1, len(rows)):
        parent = rows[place][5] - start
        feature, share = rows[parent][2], weights[place] / weights[parent]
        above = paths[parent].get(feature)
        shares.append(share if above is None else share * shares[above])
        reached.append(reached[parent] * share)
        if above is not None:
            nodes[place, 6] = above + start
        paths.append(paths[parent] | {feature: place})
    mean = sum(value * share for row, value, share in zip(rows, values, reached, strict=True) if row[0] < 0)
    return np.array(shares), max(map(len, paths)), mean


def _factors(
    nodes: NDArray[np.int64], shares: NDArray[np.float64], points: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    roots, weights = np.polynomial.legendre.leggauss(points)
    t, w = (roots + 1) / 2, weights / 2
    share, above = shares[:, None], nodes[:, 6]
    passing, other = t + (1 - t) * share, (1 - t) * share
    before = np.where((above >= 0)[:, None], passing[above], 1.0)
    ratio = np.where(above >= 0, shares / shares[above], 1.0)
    gain = w * (1 - share) / passing
    factors = np.stack(
        [passing, passing / before, other / before, gain, np.broadcast_to(ratio[:, None], passing.shape)], axis=1
    )
    return np.ascontiguousarray(factors), np.ascontiguousarray((-w / (1 - t))[None, :])
