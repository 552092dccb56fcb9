"""Single rows: the order in which rows of the sample are predicted one by one, and for how long."""

from collections.abc import Iterator, Sequence
from itertools import chain, zip_longest
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray


class SingleRows(NamedTuple):
    """How many rows of the sample are predicted one by one, by the script and then by the service."""

    #: Time in which further rows are predicted, in seconds. Each takes from some milliseconds to some ten.
    seconds: float = 0.5
    #: Minimum rows for the script, however long that takes.
    by_script: int = 32
    #: Minimum rows for the service. With 5,000 features, each takes half a second.
    by_service: int = 8


SINGLE_ROWS = SingleRows()
"""As many as `rowcast models add` and `rowcast train` predict."""

_SPREAD_ROWS = 32
"""How many rows spread over the frame are among the first."""

_COLUMNS = 50
"""Maximum columns with few values. For each value of these, a row comes early."""

_VALUES = 50
"""Maximum values of a column with few values. With more, a value is a name or a number, not a kind of row."""


def rows_alone(frame: pd.DataFrame, predicted: Any) -> list[int]:
    """Returns all rows of the frame, by position, in the order in which they are predicted one by one.

    The first rows are taken in turn from five lists: rows spread over the frame, one row for each pattern of missing
    values, rows with missing values, one row for each prediction, and one for each value of columns with few values.
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


def in_time(rows: Sequence[int], seconds: float, min_rows: int) -> Iterator[int]:
    """Yields the first `min_rows` rows, and further ones until the time is over."""
    end = monotonic() + seconds
    for count, row in enumerate(rows):
        if count >= min_rows and monotonic() > end:
            return
        yield row


def _columns_of_few_values(frame: pd.DataFrame) -> Iterator[Any]:
    named = [name for name, dtype in frame.dtypes.items() if dtype.kind not in "fcM"]
    for name in named[:_COLUMNS]:
        yield frame[name].astype("str").to_numpy()


def _spread(rows: NDArray[np.int64]) -> list[int]:
    return [int(row) for row in rows[:: max(1, len(rows) // _SPREAD_ROWS)]]


def _few(values: Any) -> list[int]:
    """Returns the positions where each value comes first; none if there are many."""
    found = _firsts(values)
    return found if len(found) <= _VALUES else []


def _firsts(values: Any) -> list[int]:
    return np.flatnonzero(~pd.Series(values).duplicated().to_numpy()).tolist()
