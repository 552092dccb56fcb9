"""Halving: finds the rows that cost whoever predicts them the process, by calls over fewer and fewer rows."""

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from rowcast.errors import RowcastError
from rowcast.scoring.predict import Outcome, SearchAborted, Values, one_line

MOST_FATAL_ROWS = 64
"""In one chunk; each costs some twenty processes to find, and with so many it is hardly the rows."""

_BLOCK_ROWS = 64
"""Where a chunk may be cut without a change of the last bit (rowcast/csv/chunker.py)."""

_SAMPLE_ROWS = 8
"""If all of so many rows are fatal alone, no row is to blame, and none of them is looked for."""

Call = Callable[[NDArray[np.int64]], Values]
"""Predicts the rows of these indexes, in one call."""


class Fatal(Exception):
    """A call that ended its process or took too long; the text says which, as the message of a bad row."""


class OutOfMemory(Fatal):
    """A call for which there was not enough memory."""


def search(call: Call, rows: int, seconds: float) -> Outcome:
    """Predicts all rows that can be predicted, in one call where that is possible; the others are found by halving.

    A row is at fault whose call alone is fatal, or raises. Where rows are fatal together of which none is alone, the
    values come from several calls, over as many rows as possible.

    Raises:
        SearchAborted: there are too many fatal rows, or so many seconds were not enough to find them.
        MemoryError, Fatal: so ended the calls for rows taken at random, all of them; no row is to blame.
        RowcastError: as it comes from a call; it is no row's fault.
        Exception: rows raise together of which none raises alone.
    """
    return _Search(call, rows, seconds).outcome()


class _Search:
    def __init__(self, call: Call, rows: int, seconds: float) -> None:
        self._call = call
        self._rows = np.arange(rows)
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._pieces: list[Values] = []
        self._faults: dict[int, str] = {}
        self._fatal: list[int] = []

    def outcome(self) -> Outcome:
        whole = self._try(self._rows)
        if isinstance(whole, Values):
            return Outcome(whole, self._rows, {})
        self._require_a_survivor()
        self._divide(0, len(self._rows), whole)
        good = np.setdiff1d(self._rows, np.array(list(self._faults), np.int64), assume_unique=True)
        rest = self._try(good) if self._faults else whole
        if isinstance(rest, Fatal):
            rest = self._pieces[0].joined(self._pieces[1:])
        if not isinstance(rest, Values):
            raise rest
        return Outcome(rest, good, self._faults)

    def _try(self, which: NDArray[np.int64]) -> Values | Exception:
        """The values of these rows, or what their call raised."""
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
        """Looks into the rows from `start` to before `stop`, whose call together raised `error`."""
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
    """About half of them: whole blocks, where there are more than one."""
    return -(-(rows // 2) // _BLOCK_ROWS) * _BLOCK_ROWS if rows > _BLOCK_ROWS else rows // 2
