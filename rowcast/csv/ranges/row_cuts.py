"""Cuts the rows of a file into chunks, given the surveys of its ranges, without reading the file again."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from rowcast.csv import scan
from rowcast.csv.pending_rows import even
from rowcast.csv.ranges.range_scan import Survey


class RowSpan(NamedTuple):
    """The bytes of a file in which the rows of one chunk are."""

    #: Where the bytes begin in the file; a row begins there.
    start: int
    #: Where the bytes end.
    stop: int
    #: How many rows in these bytes come before the chunk's first.
    skip: int
    #: Number of the chunk's rows. If it is 0, the chunk has the blank rows at the end of the file.
    rows: int


class RowCuts:
    """The rows of one file that no chunk has taken yet. Its chunks follow the rules of `Chunker`.

    Places of rows between two knots are not known. So a chunk's span may begin and end some rows too far out.
    """

    def __init__(self, chunk_bytes: int, chunk_rows: int) -> None:
        """Takes the maximum bytes and rows of a chunk."""
        self._chunk_bytes, self._chunk_rows = chunk_bytes, chunk_rows
        self._rows = np.empty(0, np.int64)
        self._places = np.empty(0, np.int64)
        self._next = 0
        """Number of the next row to take, from 0."""
        self.rows = 0
        """Number of rows so far."""
        self._blanks = 0

    def add(self, survey: Survey) -> Iterator[RowSpan]:
        """Adds the next range of the file, and yields the spans that are certain."""
        self._blanks = survey.blanks + (self._blanks if survey.blanks == survey.rows else 0)
        self._add_knots(self.rows + survey.knot_rows, survey.knots)
        self.rows += survey.rows
        yield from self._cut(final=False)

    def end(self, size: int) -> Iterator[RowSpan]:
        """Yields the last spans. `size` is the length of the file."""
        self._add_knots(np.array([self.rows]), np.array([size]))
        yield from self._cut(final=True)
        if blanks := self.rows - self._next:
            at = self._knot_at_or_before(self._next)
            yield RowSpan(int(self._places[at]), size, self._next - int(self._rows[at]), 0)
            self.rows -= blanks

    def _add_knots(self, rows: scan.Positions, places: scan.Positions) -> None:
        self._rows, self._places = np.concatenate([self._rows, rows]), np.concatenate([self._places, places])

    def _cut(self, *, final: bool) -> Iterator[RowSpan]:
        filled = self._filled()
        limit = filled if final else self.rows
        while self._next < limit:
            at = self._knot_at_or_before(self._next)
            # Not past the last knot: unless this is the end, it is not known where the rows behind it end.
            fitting = int(np.searchsorted(self._places, self._places[at] + self._chunk_bytes, "right")) - 1
            if at + 1 == len(self._rows):
                break
            left = min(int(self._rows[max(fitting, at + 1)]), limit) - self._next
            if not final and fitting == len(self._places) - 1 and left < self._chunk_rows:
                break
            count = min(left, self._chunk_rows)
            if not (final and self._next + count == limit):
                count = even(count)
            if not final and self._next + count > filled:
                break  # whether these blank rows are the end of the file is not known yet
            yield self._taken(at, count)
        self._drop()

    def _filled(self) -> int:
        """Returns the number of rows without the blank ones at the end. If these fill more than a chunk, they count."""
        filled = self.rows - self._blanks
        if not self._blanks or not filled:
            return self.rows
        at = self._knot_at_or_before(filled)
        return filled if self._places[-1] - self._places[at] <= self._chunk_bytes else self.rows

    def _taken(self, at: int, count: int) -> RowSpan:
        stop = int(np.searchsorted(self._rows, self._next + count, "left"))
        span = RowSpan(int(self._places[at]), int(self._places[stop]), self._next - int(self._rows[at]), count)
        self._next += count
        return span

    def _knot_at_or_before(self, row: int) -> int:
        return int(np.searchsorted(self._rows, row, "right")) - 1

    def _drop(self) -> None:
        at = max(0, self._knot_at_or_before(self._next))
        self._rows, self._places = self._rows[at:], self._places[at:]


def rows_in(data: bytes, span: RowSpan, delimiter: str, max_row_bytes: int) -> bytes | None:
    """Returns the bytes of the chunk's rows, given those of its span. Returns None if there are fewer rows."""
    inside = scan.quoted(data, delimiter)
    found = scan.lines(data, inside, delimiter, final=True, most_blank_bytes=max_row_bytes)
    if len(found) < span.skip + max(span.rows, 1):
        return None
    start = int(found.starts[span.skip])
    return data[start : int(found.stops[span.skip + span.rows - 1])] if span.rows else data[start:]
