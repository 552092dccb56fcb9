"""Rows made from a sample, whose cells are at thresholds or next to them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.trees.comparison.edge_cells import CellLimits, edge_cells
from rowcast.trees.evaluation.ensemble import Declined
from rowcast.trees.families import family_of
from rowcast.trees.model_walk import tree_estimators
from rowcast.trees.taking import cell_limits, is_fitted


@dataclass(frozen=True)
class _Columns:
    """What the trees of a model do with the columns of its sample."""

    #: Thresholds by place of the column.
    thresholds: dict[int, NDArray[np.float64]]
    #: Places of columns of categories, whose cells are left as they are.
    categories: frozenset[int]
    #: Cells that all trees take.
    limits: CellLimits

    def changed(self, place: int, cells: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
        """Returns the cells of a column, most of them changed."""
        if place in self.categories:
            return cells
        return edge_cells(cells, self.thresholds.get(place, np.empty(0)), self.limits, random)


def edge_sample(model: Any, sample: Any, rows: int, seed: int) -> Any:
    """Returns rows as `rowcast.trees.edge_rows` describes them: a DataFrame if the sample is one, else an array."""
    random = np.random.default_rng(seed)
    columns = _columns(model)
    drawn = random.integers(0, len(sample), rows)
    if hasattr(sample, "iloc"):
        frame = sample.iloc[drawn].reset_index(drop=True)
        for place, name in enumerate(frame.columns):
            if getattr(frame.dtypes.iloc[place], "kind", "O") in "fiu":
                cells = frame[name].to_numpy(np.float64, na_value=np.nan)
                frame[name] = columns.changed(place, cells, random)
        return frame
    array = np.asarray(sample)[drawn]
    if array.dtype.kind not in "fiub":
        return array
    made = array.astype(np.float64)
    for place in range(made.shape[1]):
        made[:, place] = columns.changed(place, made[:, place], random)
    return _as(made, array.dtype) if array.dtype.kind == "f" else made


def _as(cells: NDArray[np.float64], kind: Any) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return cells.astype(kind)


def _columns(model: Any) -> _Columns:
    """Returns what all trees of the model do with the sample's columns."""
    found: dict[int, list[NDArray[np.float64]]] = {}
    categories: set[int] = set()
    limits = []
    for estimator in tree_estimators(model).values():
        family = family_of(estimator)
        if family is None or not is_fitted(estimator):
            continue
        try:
            own = family.read(estimator).thresholds()
        except Declined:
            continue
        limits.append(cell_limits(estimator, family))
        categorical, numeric = _category_columns(estimator)
        categories |= set(categorical)
        for feature, thresholds in own.items():
            found.setdefault([*categorical, *numeric][feature], []).append(thresholds)
    return _Columns(
        thresholds={place: np.concatenate(several) for place, several in found.items()},
        categories=frozenset(categories),
        limits=CellLimits(
            double=bool(limits) and all(one.double for one in limits),
            missing=bool(limits) and all(one.missing for one in limits),
        ),
    )


def _category_columns(estimator: Any) -> tuple[list[int], list[int]]:
    """Returns the places of an estimator's columns of categories and of the others, which it compares in this order."""
    categorical = getattr(estimator, "is_categorical_", None)
    if categorical is None:
        return [], list(range(estimator.n_features_in_))
    return np.flatnonzero(categorical).tolist(), np.flatnonzero(~categorical).tolist()
