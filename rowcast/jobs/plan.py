"""The plan: an input's bytes go by, and come out as chunks of whole rows."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from rowcast.errors import TooLarge, Unprocessable
from rowcast.jobs import csvcut
from rowcast.jobs.header import Header, check_header
from rowcast.jobs.utf8 import Utf8Check

__all__ = ["Chunk", "Header", "Planner", "check_header"]

_BOM = b"\xef\xbb\xbf"

_STEP_BYTES = 1024 * 1024
"""A longer block is taken in steps, so that little more than a chunk is ever held."""

_SCAN_BYTES = 64 * 1024
"""Data rows are looked for when so many bytes have come together: numpy is slow on a few."""

_SHORT_HEADER_BYTES = 4096
"""A header line up to here is noticed with its last byte, even in blocks of one."""

_NO_ROWS = np.empty((2, 0), np.int64)


@dataclass(frozen=True)
class Chunk:
    """Whole rows, as sent. `number` counts from 0, `first_row` counts the data rows of the input from 1."""

    number: int
    first_row: int
    rows: int
    data: bytes


class Planner:
    """Takes an input in blocks of any size and gives its chunks, which depend on the bytes alone, not on the blocks.

    A chunk ends with the last row that ends within `chunk_bytes` and `chunk_rows` (it has at least one row), and all
    but the last have a multiple of 64 rows, or of 4 where fewer than 64 fit. BLAS works on blocks of rows and treats
    the odd ones at the end differently, in the last bit: with such cuts a linear model gives what it gives for the
    whole file. Blank lines at a chunk's edges are left out.
    """

    def __init__(
        self,
        *,
        delimiter: str,
        header: bool,
        chunk_bytes: int,
        chunk_rows: int,
        max_row_bytes: int,
        max_columns: int,
        on_header: Callable[[Header], None] | None,
    ) -> None:
        """`on_header` is called as soon as the header line is there; what it raises goes through.

        `max_row_bytes` counts a row's line end, too.
        """
        self._delimiter, self._chunk_bytes, self._chunk_rows = delimiter, chunk_bytes, chunk_rows
        self._max_row_bytes, self._max_columns, self._on_header = max_row_bytes, max_columns, on_header
        self._awaits_header = header
        self._at_start = True
        self._utf8 = Utf8Check()
        self._sha256 = hashlib.sha256()
        self._buffer = bytearray()
        # Offsets in the input, which stay what they are when the buffer's head goes:
        self._begin = 0
        """Where the buffer begins."""
        self._rows = _NO_ROWS
        """Starts and stops, shape (2, rows), of the rows in the buffer that no chunk has taken yet."""
        self._open = 0
        """Where the row begins whose end has not been seen."""
        self._scanned = 0
        """Up to where rows have been looked for."""
        self._chunks = 0
        self.header: Header | None = None
        self.line_end = b"\n"
        """That of the header line, or of the first row where there is no header."""
        self.rows_total = 0
        """Data rows found so far."""
        self.bytes_total = 0

    @property
    def sha256(self) -> str:
        """The digest of every byte so far, in hex."""
        return self._sha256.hexdigest()

    def feed(self, block: bytes) -> Iterator[Chunk]:
        """Takes the next bytes and gives the chunks that they complete; go through them before the next block.

        Raises:
            NotUtf8, Unprocessable: at once, for bytes that are no text.
            Unprocessable, TooLarge, and what `on_header` raises: while the chunks are gone through.
        """
        self._utf8.feed(block)
        self._sha256.update(block)
        self.bytes_total += len(block)
        return self._take(block)

    def end(self) -> Iterator[Chunk]:
        """Gives the last chunks.

        Raises:
            Unprocessable: the input has no rows, or a quote is still open.
            NotUtf8, TooLarge: as in `feed`.
        """
        self._utf8.end()
        yield from self._scan(final=True)
        if self._awaits_header or not self.rows_total:
            what = "is empty" if self._awaits_header or self.header is None else "has a header line and no rows"
            raise Unprocessable.at("file", what)
        if self._rows.shape[1]:
            yield self._cut(self._rows.shape[1])

    def _take(self, block: bytes) -> Iterator[Chunk]:
        with memoryview(block) as view:
            for start in range(0, len(block), _STEP_BYTES):
                self._buffer += view[start : start + _STEP_BYTES]
                if self._is_due():
                    yield from self._scan(final=False)

    def _is_due(self) -> bool:
        """Whether to look for rows: often enough to see each limit in time, seldom enough to stay linear.

        An open row is scanned again from its start, so its scans must lie the further apart, the longer it grows.
        """
        end = self._begin + len(self._buffer)
        unseen, known_open = end - self._scanned, self._scanned - self._open
        if self._awaits_header:
            wait = 0 if known_open < _SHORT_HEADER_BYTES else known_open // 8
        else:
            wait = max(min(_SCAN_BYTES, self._chunk_bytes), known_open)
        return unseen > wait or end - self._open > self._max_row_bytes

    def _scan(self, final: bool) -> Iterator[Chunk]:
        """Looks for rows in what has come since the last one, and cuts off the chunks that are complete."""
        if self._at_start:
            if len(self._buffer) < len(_BOM) and not final:
                return
            self._at_start = False
            if self._buffer.startswith(_BOM):
                self._open = len(_BOM)
                self._drop_blank_lines()
        if self._awaits_header:
            self._find_header(final)
        if not self._awaits_header:
            self._find_rows(final)
            while count := self._cuttable():
                yield self._cut(count)

    def _find_header(self, final: bool) -> None:
        data, found = self._find_lines(final)
        if len(found):
            start, end, stop = int(found.starts[0]), int(found.ends[0]), int(found.stops[0])
            self._refuse_lone_return(data[start:stop])
            columns = self._columns(data[start:end])
            self.header = Header(data[start:stop], tuple(csvcut.text(column) for column in columns))
            self.line_end = data[end:stop] or self.line_end
            self._awaits_header = False
            if self._on_header:
                self._on_header(self.header)
        self._open += int(found.stops[0]) if len(found) else found.rest
        self._drop_blank_lines()

    def _find_rows(self, final: bool) -> None:
        data, found = self._find_lines(final)
        if not self.rows_total and len(found) and self.header is None:
            start, end, stop = int(found.starts[0]), int(found.ends[0]), int(found.stops[0])
            self._columns(data[start:end])
            self.line_end = data[end:stop] or self.line_end
        self.rows_total += len(found)
        self._rows = np.hstack([self._rows, self._open + np.stack([found.starts, found.stops])])
        self._open += found.rest
        self._drop_blank_lines()

    def _find_lines(self, final: bool) -> tuple[bytes, csvcut.Lines]:
        """The bytes from the open row on, and the lines that end in them, none too long and no quote left open."""
        data = bytes(memoryview(self._buffer)[self._open - self._begin :])
        self._scanned = self._begin + len(self._buffer)
        inside = csvcut.quoted(data, self._delimiter)
        found = csvcut.lines(data, inside, final=final)
        long = np.flatnonzero(found.stops - found.starts > self._max_row_bytes)
        if len(long) or len(data) - found.rest > self._max_row_bytes:
            where = self._row_name(int(long[0]) if len(long) else len(found))
            hint = "; is a quote not closed?" if inside.is_open and not len(long) else ""
            raise TooLarge(f"{where} (bytes{hint})", self._max_row_bytes, "ROWCAST_MAX_ROW_BYTES")
        if final and inside.is_open:
            where = self._row_name(len(found) - 1)
            raise Unprocessable.at(where, "a quote opens here and is never closed")
        return data, found

    def _row_name(self, index: int) -> str:
        """The name of the row `index` rows behind the known ones."""
        if self._awaits_header and index == 0:
            return "The header line"
        return f"Row {self.rows_total + index + (0 if self._awaits_header else 1)}"

    def _columns(self, line: bytes) -> list[bytes]:
        columns = csvcut.fields(line, self._delimiter)
        if len(columns) > self._max_columns:
            raise TooLarge(f"The number of columns, {len(columns)},", self._max_columns, "ROWCAST_MAX_COLUMNS")
        return columns

    def _refuse_lone_return(self, line: bytes) -> None:
        if len(csvcut.lone_returns(line, csvcut.quoted(line, self._delimiter))):
            raise Unprocessable.at("header", "has a carriage return; lines end in LF or CRLF")

    def _cuttable(self) -> int:
        """How many rows the next chunk has; 0 until it is certain that no more fit."""
        known, limit = self._rows.shape[1], self._begin + self._chunk_bytes
        if not known or (self._open <= limit and known <= self._chunk_rows):
            return 0
        fitting = int(np.searchsorted(self._rows[1], limit, "right"))
        return _even(min(max(fitting, 1), self._chunk_rows))

    def _cut(self, count: int) -> Chunk:
        end = int(self._rows[1, count - 1]) - self._begin
        first_row = self.rows_total - self._rows.shape[1] + 1
        chunk = Chunk(self._chunks, first_row, count, bytes(memoryview(self._buffer)[:end]))
        self._chunks += 1
        self._rows = self._rows[:, count:]
        self._drop_blank_lines()
        return chunk

    def _drop_blank_lines(self) -> None:
        """Lets the buffer begin with a row; blank lines before it could otherwise pile up without end."""
        begin = int(self._rows[0, 0]) if self._rows.shape[1] else self._open
        del self._buffer[: begin - self._begin]
        self._begin = begin


def _even(rows: int) -> int:
    """The next number of rows below that BLAS takes in whole blocks."""
    for block in (64, 4):
        if rows >= block:
            return rows - rows % block
    return rows
