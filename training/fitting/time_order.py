"""The order of rows in time, for models that are to predict what is newer than the data of the training."""

from collections.abc import Sequence
from math import isnan
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from rowcast.errors import Unprocessable
from training.fitting.column_kinds import is_infinite, number
from training.fitting.training_file import Cell

_TAKES = "a time is a date such as 2026-12-31 or 2026-12-31T14:00 in every row, or a number in every row"


def time_order(name: str, cells: Sequence[Cell], rows: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    """Returns the positions in `rows`, the oldest first. Rows of the same time stay in the order of the file.

    `rows` are counted from 0 in the column `cells`.

    Raises:
        Unprocessable: a cell is missing, or the cells are neither numbers nor dates, or all are the same.
    """
    there = [cells[row] for row in rows.tolist()]
    for row, cell in zip(rows.tolist(), there, strict=True):
        if cell is None:
            raise _wrong(name, f"row {row + 1:,} has none; {_TAKES}")
    numbers = _numbers(there)
    values: npt.NDArray[Any] = _dates(name, there, rows) if numbers is None else numbers
    if len(np.unique(values)) == 1:
        raise _wrong(name, "it is the same in every row, so no row is newer than another")
    return np.argsort(values, kind="stable").astype(np.intp)


def _numbers(cells: Sequence[Cell]) -> npt.NDArray[np.float64] | None:
    values = {cell: number(cell) for cell in set(cells)}
    if any(value is None or isnan(value) or is_infinite(value) for value in values.values()):
        return None
    return np.array([values[cell] for cell in cells], dtype="float64")


def _dates(name: str, cells: Sequence[Cell], rows: npt.NDArray[np.intp]) -> npt.NDArray[Any]:
    """Returns the dates as whole numbers. Times without a zone count as UTC.

    Only ISO 8601 is taken: pandas would read 03/04/2026 as a day in March, also if the user means April.
    """
    moments = pd.to_datetime(pd.Series(list(cells)), format="ISO8601", utc=True, errors="coerce")
    odd = moments.isna().to_numpy()
    if odd.any():
        first = int(odd.argmax())
        raise _wrong(name, f"row {int(rows[first]) + 1:,} has {cells[first]!r}; {_TAKES}")
    return moments.astype("int64").to_numpy()


def _wrong(name: str, message: str) -> Unprocessable:
    return Unprocessable.at("time", f"{name!r}: {message}")
