"""Rows made from a sample, whose cells are at thresholds or next to them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.trees.edge_cells import CellLimits, edge_cells
from rowcast.trees.ensemble import Declined
from rowcast.trees.families import Family, family_of
from rowcast.trees.model_walk import tree_estimators
from rowcast.trees.taking import cell_limits, is_fitted


def edge_sample(model: Any, sample: Any, rows: int, seed: int) -> Any:
    """Returns rows as `rowcast.trees.edge_rows` describes them: a DataFrame if the sample is one, else an array."""
    random = np.random.default_rng(seed)
    thresholds, limits = _thresholds(model)
    drawn = random.integers(0, len(sample), rows)
    if hasattr(sample, "iloc"):
        made = sample.iloc[drawn].reset_index(drop=True)
        for place, name in enumerate(made.columns):
            if made.dtypes.iloc[place].kind in "fiu":
                base = made[name].to_numpy(np.float64, na_value=np.nan)
                made[name] = edge_cells(base, thresholds.get(place, np.empty(0)), limits, random)
        return made
    cells = np.asarray(sample)[drawn]
    if cells.dtype.kind not in "fiub":
        return cells
    made = cells.astype(np.float64)
    for place in range(made.shape[1]):
        made[:, place] = edge_cells(made[:, place], thresholds.get(place, np.empty(0)), limits, random)
    return made if cells.dtype.kind != "f" else _as(made, cells.dtype)


def _as(cells: NDArray[np.float64], kind: Any) -> NDArray[Any]:
    with np.errstate(over="ignore"):
        return cells.astype(kind)


def _thresholds(model: Any) -> tuple[dict[int, NDArray[np.float64]], CellLimits]:
    """Returns the thresholds of all trees in the model by column of the sample, and cells that all trees take."""
    found: dict[int, list[NDArray[np.float64]]] = {}
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
        columns = _sample_columns(estimator, family)
        for feature, thresholds in own.items():
            found.setdefault(int(columns[feature]), []).append(thresholds)
    together = CellLimits(
        double=bool(limits) and all(one.double for one in limits), missing=bool(limits) and all(one.missing for one in limits)
    )
    return {column: np.concatenate(all_of_it) for column, all_of_it in found.items()}, together


def _sample_columns(estimator: Any, family: Family) -> NDArray[np.int64]:
    """Returns the column of the sample for each column that the trees ask: HistGradientBoosting moves categories first."""
    categorical = getattr(estimator, "is_categorical_", None)
    if categorical is None:
        return np.arange(estimator.n_features_in_)
    return np.concatenate([np.flatnonzero(categorical), np.flatnonzero(~categorical)])
