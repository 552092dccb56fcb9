"""Bisection: finds the rows that end the process which predicts them, by calls with fewer and fewer rows."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rowcast.errors import RowcastError
from rowcast.scoring.predict import Predicted, SearchAborted, Values
from rowcast.wording.exception_text import one_line

MOST_FATAL_ROWS = 64
"""Maximum number of fatal rows in one chunk. Finding one takes about twenty processes, and more are unlikely to be the
rows' fault."""

_BLOCK_ROWS = 64
"""A cut at a multiple of 64 rows does not change the last bit of any prediction (rowcast/csv/chunker.py)."""

_SAMPLE_ROWS = 8
"""If each of 8 random rows is fatal by itself, the rows are not at fault, and no search is made."""

Call = Callable[[NDArray[np.int64]], Values]
"""Predicts the rows with these indexes, in one call."""


class Fatal(Exception):
    """A call ended its process or took too long. The text says which, and becomes the message of a bad row."""


class OutOfMemory(Fatal):
    """A call did not have enough memory."""


def search(call: Call, rows: int, seconds: float) -> Predicted:
    """Predicts all rows that can be predicted, if possible in one call; the other rows are found by bisection.

    A row is at fault if a call with only this row is fatal or raises. If rows are fatal only together, the values come
    from several calls, each with as many rows as possible.

    Raises:
        SearchAborted: there are too many fatal rows, or `seconds` were not enough to find them.
        MemoryError, Fatal: each call for one of the random rows ended so; the rows are not at fault.
        RowcastError: raised by a call; the rows are not at fault.
        Exception: rows raise only together.
    """
    return _Search(call, rows, seconds).predicted()


class _Search:
    def __init__(self, call: Call, rows: int, seconds: float) -> None:
        self._call = call
        self._rows = np.arange(rows)
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._pieces: list[Values] = []
        self._faults: dict[int, str] = {}
        self._fatal: list[int] = []

    def predicted(self) -> Predicted:
        whole = self._try(self._rows)
        if isinstance(whole, Values):
            return Predicted(whole, self._rows, {})
        self._require_a_survivor()
        self._divide(0, len(self._rows), whole)
        good = np.setdiff1d(self._rows, np.array(list(self._faults), np.int64), assume_unique=True)
        rest = self._try(good) if self._faults else whole
        if isinstance(rest, Fatal):
            rest = self._pieces[0].joined(self._pieces[1:])
        if not isinstance(rest, Values):
            raise rest
        return Predicted(rest, good, self._faults)

    def _try(self, which: NDArray[np.int64]) -> Values | Exception:
        """Returns the values of these rows, or the exception of their call."""
        if time.monotonic() > self._deadline:
            raise SearchAborted(f"when it had taken {self._seconds:g} s", self._fatal)
        try:
            return self._call(which)
        except RowcastError:
            raise
        except Exception as error:
            return error

    def _require_a_survivor(self) -> None:
        if len(self._rows) < 2 * _SAMPLE_ROWS:
            return
        answer: Values | Exception | None = None
        for row in np.random.default_rng(len(self._rows)).choice(self._rows, _SAMPLE_ROWS, replace=False):
            answer = self._try(np.array([row]))
            if not isinstance(answer, Fatal):
                return
        raise MemoryError(str(answer)) if isinstance(answer, OutOfMemory) else Fatal(str(answer))

    def _divide(self, start: int, stop: int, error: Exception) -> None:
        """Searches the rows from `start` to before `stop`. The call with all of them raised `error`."""
        if stop - start == 1:
            self._blame(start, error)
            return
        middle = start + _half(stop - start)
        for begin, end in ((start, middle), (middle, stop)):
            answer = self._try(self._rows[begin:end])
            if isinstance(answer, Values):
                self._pieces.append(answer)
            else:
                self._divide(begin, end, answer)

    def _blame(self, row: int, error: Exception) -> None:
        self._faults[row] = one_line(error)
        if isinstance(error, Fatal):
            self._fatal.append(row)
            if len(self._fatal) > MOST_FATAL_ROWS:
                raise SearchAborted(f"as there are more than {MOST_FATAL_ROWS}", self._fatal)


def _half(rows: int) -> int:
    """Returns about half of the rows: a multiple of whole blocks if they have more than one block."""
    return -(-(rows // 2) // _BLOCK_ROWS) * _BLOCK_ROWS if rows > _BLOCK_ROWS else rows // 2
