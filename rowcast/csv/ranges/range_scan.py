"""The scan of one range of a file: which rows begin in it, before it is known whether it begins within quotes.

A range begins right behind a line feed. So there are two possibilities: a row begins there, or a quoted field goes on.
The scan follows both. In most files they agree after a few rows; from then on only one is followed.
"""

from dataclasses import dataclass

import numpy as np

from rowcast.csv import scan
from rowcast.csv.pending_rows import trailing_blanks
from rowcast.errors import CsvSyntax, TooLarge

_NOWHERE = np.empty(0, np.int64)


@dataclass(frozen=True)
class Survey:
    """The rows that begin in a range, of which not every place is kept."""

    #: Number of the rows.
    rows: int
    #: Some of the rows, by their number in the range from 0: the first, and then for example every 64th.
    knot_rows: scan.Positions
    #: Where each of these rows begins in the file.
    knots: scan.Positions
    #: Number of bytes at the start of the range that belong to a row which began before it.
    head_bytes: int
    #: Whether the range ends within quotes.
    is_open: bool
    #: Where the last row begins in the file; -1 if no row begins in the range.
    last_start: int
    #: Number of rows at the end that have nothing but delimiters.
    blanks: int


class RangeScan:
    """Finds the rows of a range, which comes in blocks."""

    def __init__(self, start: int, delimiter: str, *, is_inside: bool, every: int, max_row_bytes: int) -> None:
        """Begins a scan.

        Args:
            start: where the range begins in the file.
            delimiter: what separates the fields.
            is_inside: whether the range begins within quotes.
            every: of how many rows one is a knot.
            max_row_bytes: maximum bytes of a row.
        """
        self._delimiter, self._every, self._max_row_bytes = delimiter, every, max_row_bytes
        self._start, self._is_inside = start, is_inside
        # A quote before the first byte makes what follows the rest of a quoted field.
        self._held = b'"' if is_inside else b""
        self._held_from = start - len(self._held)
        self._in_head = is_inside
        self._head_bytes = 0
        self._knot_rows: list[scan.Positions] = []
        self._knots: list[scan.Positions] = []
        self._last_start = -1
        self.rows = 0
        """Number of rows so far."""
        self.blanks = 0
        """Number of rows at the end so far that have nothing but delimiters."""
        self.new_starts = _NOWHERE
        """Where the rows begin that the last block has completed."""

    def feed(self, block: bytes, *, final: bool = False) -> None:
        """Takes the next bytes. `final` says that the file ends with them.

        Raises:
            TooLarge: a row is too long. CsvSyntax: the file ends within quotes. Both count rows from the range's first.
        """
        self.new_starts = _NOWHERE
        if self._in_head and not final and self._is_plain_head(block):
            return
        data = self._held + block if self._held else block
        inside = scan.quoted(data, self._delimiter)
        found = scan.lines(data, inside, self._delimiter, final=final, most_blank_bytes=self._max_row_bytes)
        self._refuse(data, found, inside.is_open, final=final)
        starts, base = found.starts, self._held_from
        blanks = trailing_blanks(data, found, self._delimiter)
        if self._in_head and len(found):
            self._in_head = False
            self._head_bytes = base + int(found.stops[0]) - self._start
            if self._head_bytes > self._max_row_bytes:
                raise self._too_large(-1, may_be_open=True)
            starts, blanks = starts[1:], min(blanks, len(starts) - 1)
        self._add(base + starts, blanks)
        self._held, self._held_from = data[found.rest :], base + found.rest

    def end(self) -> Survey:
        """Returns what was found when the whole range was fed. It is called once."""
        stop = self._held_from + len(self._held)
        is_open = bool(self._held)
        if is_open and not self._in_head:  # its last row goes on in the next range
            self._add(np.array([self._held_from], np.int64), 0)
        head_bytes = stop - self._start if self._in_head else self._head_bytes
        knot_rows, knots = (np.concatenate(some or [_NOWHERE]) for some in (self._knot_rows, self._knots))
        return Survey(self.rows, knot_rows, knots, head_bytes, is_open, self._last_start, self.blanks)

    @property
    def head_bytes(self) -> int | None:
        """Number of bytes that belong to a row which began before the range; None if it has not ended yet."""
        return None if self._in_head else self._head_bytes

    def _is_plain_head(self, block: bytes) -> bool:
        """Takes a block in which the row goes on that began before the range. Returns False if it may end there."""
        if self._held != b'"' or scan.QUOTE in block:
            return False
        self._held_from += len(block)
        self._head_bytes += len(block)
        if self._head_bytes > self._max_row_bytes:
            raise self._too_large(0, may_be_open=True)
        return True

    def _add(self, starts: scan.Positions, blanks: int) -> None:
        if not len(starts):
            return
        first = -self.rows % self._every
        self._knot_rows.append(np.arange(self.rows + first, self.rows + len(starts), self._every))
        self._knots.append(starts[first :: self._every].copy())  # a view would keep the places of all rows
        self.blanks = blanks + (self.blanks if blanks == len(starts) else 0)
        self.rows += len(starts)
        self._last_start = int(starts[-1])
        self.new_starts = starts

    def _refuse(self, data: bytes, found: scan.Lines, is_open: bool, *, final: bool) -> None:
        limit = self._max_row_bytes
        long = np.flatnonzero(found.stops - found.starts > limit)
        if len(long) or len(data) - found.rest > limit:
            raise self._too_large(int(long[0]) if len(long) else len(found), may_be_open=is_open and not len(long))
        if final and is_open:
            raise CsvSyntax.at(f"row {self._number(len(found) - 1)}", "a quote opens here and is never closed")

    def _too_large(self, index: int, *, may_be_open: bool) -> TooLarge:
        advice = "; is a quote not closed?" if may_be_open else ""
        return TooLarge(f"Row {self._number(index)} (bytes{advice})", self._max_row_bytes, "ROWCAST_MAX_ROW_BYTES")

    def _number(self, index: int) -> int:
        """Returns the number of the line that comes `index` lines after the known ones, from 1."""
        return self.rows + index + (0 if self._in_head else 1)


class TwoScans:
    """Both scans of a range. One that fails is None in the end: it may be the wrong one."""

    def __init__(self, start: int, delimiter: str, *, every: int, max_row_bytes: int) -> None:
        """Begins both. The arguments are those of `RangeScan`."""
        self._scans: list[RangeScan | None] = [
            RangeScan(start, delimiter, is_inside=is_inside, every=every, max_row_bytes=max_row_bytes)
            for is_inside in (False, True)
        ]
        self._meeting: tuple[int, int, int] | None = None
        """Row, counted as if the range began outside quotes, from which on both scans agree; its start; head bytes."""

    def feed(self, block: bytes, *, final: bool = False) -> None:
        """Takes the next bytes."""
        known = self._scans[0].rows if self._scans[0] else 0
        for place, one in enumerate(self._scans):
            if one is None or (place == 1 and self._meeting):
                continue
            try:
                one.feed(block, final=final)
            except (TooLarge, CsvSyntax):
                self._scans[place] = None
        self._meet(known)

    def surveys(self) -> tuple[Survey | None, Survey | None]:
        """Returns what was found if the range begins outside quotes, and if it begins within them."""
        outside, inside = self._scans
        found = outside.end() if outside else None
        if found and self._meeting:
            return found, _from_row(found, *self._meeting)
        return found, inside.end() if inside else None

    def _meet(self, known: int) -> None:
        """Notes where both begin a row at the same place: what follows is the same for both."""
        outside, inside = self._scans
        if self._meeting or outside is None or inside is None or inside.head_bytes is None:
            return
        if inside.rows != len(inside.new_starts) or not inside.rows:
            return  # only where the first rows are found
        both, in_outside, in_inside = np.intersect1d(
            outside.new_starts, inside.new_starts, assume_unique=True, return_indices=True
        )
        if len(both) and in_inside[0] == 0:
            self._meeting = known + int(in_outside[0]), int(both[0]), inside.head_bytes


def _from_row(whole: Survey, row: int, start: int, head_bytes: int) -> Survey:
    """Returns the survey in which one of the rows, which begins at `start`, is the first."""
    later = whole.knot_rows > row
    knot_rows = np.concatenate([np.zeros(1, np.int64), whole.knot_rows[later] - row])
    knots = np.concatenate([np.array([start], np.int64), whole.knots[later]])
    rows = whole.rows - row
    return Survey(rows, knot_rows, knots, head_bytes, whole.is_open, whole.last_start, min(whole.blanks, rows))
