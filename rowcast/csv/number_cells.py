"""The cells of columns of numbers, read by compiled code if a program has loaded it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rowcast.csv import scan

_KERNELS = "rowcast.csv.number_kernels"


@dataclass(frozen=True)
class NumberCells:
    """The numbers in some columns of some rows."""

    values: NDArray[np.float64]
    """Shape (columns, rows). Cells that are doubtful have any value."""
    doubtful: NDArray[np.bool_] | None
    """Shape (columns, rows): the cells that may not be plain numbers; None if there are none."""


def read_numbers(
    data: bytes, fields: scan.Fields, rows: scan.Positions, places: Sequence[int], gaps: Sequence[bool]
) -> NumberCells | None:
    """Reads the columns at `places` (from 0) of some rows, each of which has these fields.

    A number is written as `[+-]digits[.digits][e[+-]digits]` and read as Python's `float` reads it. An empty cell of a
    column with `gaps` is NaN. Any other cell is doubtful, and so are a few numbers: very small and very large ones, and
    those of more than 19 digits. Returns None without a call of `load`, which takes longer than
    pandas needs for a small file.
    """
    kernels = sys.modules.get(_KERNELS)
    if kernels is None:
        return None
    values = np.empty((len(places), len(rows)))
    bits = values.view(np.uint64)
    doubtful = kernels.read_cells(
        np.frombuffer(data, np.uint8),
        rows,
        fields.lines.starts,
        fields.lines.ends,
        fields.firsts,
        fields.delimiters,
        np.array(places, np.int64),
        np.array(gaps, np.uint8),
        kernels.POWERS_OF_FIVE,
        bits.reshape(-1),
    )
    return NumberCells(values, bits == kernels.DOUBTFUL if doubtful else None)


def load() -> None:
    """Compiles the functions, or loads them from numba's cache. From then on, this process reads numbers with them.

    Raises:
        ImportError: numba is not installed.
    """
    import rowcast.csv.number_kernels  # noqa: F401 - importing compiles
