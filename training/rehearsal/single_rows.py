"""Rows alone: in which order the sample's rows are predicted by themselves, and for how long."""

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LEAST_ROWS = 32
"""This many rows are predicted alone by the script, however long that takes."""

SECONDS = 2.0
"""Further rows are predicted alone until this time is up. Each takes some milliseconds, or tens of them."""

_COLUMNS = 50
"""Of so many columns with few values, a row for each value comes early."""

_VALUES = 50
"""A column with more values is one of names or numbers, of which no value stands for a kind of row."""


def rows_alone(frame: pd.DataFrame, predicted: Any) -> list[int]:
    """All rows of the frame, by position, in the order in which they are to be predicted alone.

    Rows that are spread over the frame come first, and by turns with them rows with missing values, one for each
    pattern of these, one for each prediction, and one for each value of columns with few values.
    """
    rows, gaps = len(frame), frame.isna().to_numpy()
    first = predicted if predicted.ndim == 1 else predicted[:, 0]
    kinds = [
        _spread(np.arange(rows)),
        _firsts([row.tobytes() for row in np.packbits(gaps, axis=1)]),
        _spread(np.flatnonzero(gaps.any(axis=1))),
        _few(first.astype("str")),
        list(chain(*(_few(values) for values in _columns_of_few_values(frame)))),
    ]
    by_turns = (row for turn in zip_longest(*kinds) for row in turn if row is not None)
    return list(dict.fromkeys([*by_turns, *range(rows)]))


def in_time(rows: Sequence[int], seconds: float, least: int = LEAST_ROWS) -> Iterator[int]:
    """The first `least` rows, and further ones until so many seconds are over."""
    end = monotonic() + seconds
    for count, row in enumerate(rows):
        if count >= least and monotonic() > end:
            return
        yield row


def _columns_of_few_values(frame: pd.DataFrame) -> Iterator[Any]:
    named = [name for name, dtype in frame.dtypes.items() if dtype.kind not in "fcM"]
    for name in named[:_COLUMNS]:
        yield frame[name].astype("str").to_numpy()


def _spread(rows: NDArray[np.int64]) -> list[int]:
    return [int(row) for row in rows[:: max(1, len(rows) // LEAST_ROWS)]]


def _few(values: Any) -> list[int]:
    """Where each value comes first; nothing if there are many."""
    found = _firsts(values)
    return found if len(found) <= _VALUES else []


def _firsts(values: Any) -> list[int]:
    return np.flatnonzero(~pd.Series(values).duplicated().to_numpy()).tolist()
