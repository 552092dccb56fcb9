"""Numbers on which an inexact evaluation of trees differs: thresholds, their neighbours, and odd values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_ODD_32 = [0.0, -0.0, 1e-45, -1e-45, 1e-39, -1e-39, 1e-38, 3.4e38, -3.4e38, 1e30, -1e30, 1.0, -1.0]
_ODD_64 = [5e-324, -5e-324, 2.2e-308, -1e-310, 1e308, -1e308, np.inf, -np.inf]
_SHARE_OF_THRESHOLDS = 0.5
_SHARE_OF_ODD_CELLS = 0.12
_SHARE_OF_MISSING_CELLS = 0.08
_LARGEST_32 = 3.4e38


@dataclass(frozen=True)
class CellLimits:
    """Which cells an estimator takes."""

    #: Whether it compares float64, as HistGradientBoosting does; other trees compare float32 and refuse infinity.
    double: bool
    #: Whether cells may be missing.
    missing: bool


def edge_cells(
    base: NDArray[np.float64], thresholds: NDArray[np.float64], limits: CellLimits, random: np.random.Generator
) -> NDArray[np.float64]:
    """Returns a column of cells: half at a threshold or next to one, some odd or missing, others as in `base`."""
    count = len(base)
    draw = random.random(count)
    cells = base.copy()
    odd = np.array(_ODD_32 + (_ODD_64 if limits.double else []))
    if len(thresholds):
        near = _near(random.choice(thresholds, count), random)
        fits = np.abs(near) <= (np.inf if limits.double else _LARGEST_32)
        cells = np.where((draw < _SHARE_OF_THRESHOLDS) & fits, near, cells)
    cells = np.where(draw > 1 - _SHARE_OF_ODD_CELLS, random.choice(odd, count), cells)
    missing = random.random(count) < _SHARE_OF_MISSING_CELLS
    if limits.missing:
        return np.where(missing, np.nan, cells)
    return np.where(np.isnan(cells), 0.0, cells)


def edge_matrix(
    features: int,
    rows: int,
    thresholds: Mapping[int, NDArray[np.float64]],
    limits: CellLimits,
    random: np.random.Generator,
) -> NDArray[np.float64]:
    """Returns rows made without a sample, shape (rows, features). Columns without thresholds are normal numbers."""
    cells = random.standard_normal((rows, features))
    for feature, own in thresholds.items():
        cells[:, feature] = edge_cells(cells[:, feature], own, limits, random)
    return cells


def _near(thresholds: NDArray[np.float64], random: np.random.Generator) -> NDArray[np.float64]:
    """Returns each threshold itself, or its next float64, or as float32 itself or the next one, above or below."""
    with np.errstate(over="ignore"):
        single = thresholds.astype(np.float32)
        choices: list[NDArray[Any]] = [
            thresholds,
            np.nextafter(thresholds, np.inf),
            np.nextafter(thresholds, -np.inf),
            single,
            np.nextafter(single, np.float32(np.inf)),
            np.nextafter(single, np.float32(-np.inf)),
        ]
    return np.choose(random.integers(0, len(choices), len(thresholds)), [one.astype(np.float64) for one in choices])
