"""The chunker: the bytes of an input go in, and chunks of whole rows come out."""

import hashlib
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from rowcast.csv import delimiter, scan
from rowcast.csv.encoding import BadByte, Decoder
from rowcast.csv.header import Header
from rowcast.csv.input_buffer import InputBuffer
from rowcast.csv.pending_rows import Chunk, PendingRows, trailing_blanks
from rowcast.errors import CsvSyntax, EmptyFile, LineEndsLost, NotText, NotUtf8, TooLarge, Unprocessable

_STEP_BYTES = 1024 * 1024
"""A longer block is taken in steps, so that little more than a chunk is in memory at any time."""

_SCAN_BYTES = 64 * 1024
"""Number of new bytes after which data rows are looked for: numpy is slow on a few bytes."""

_SHORT_HEADER_BYTES = 4096
"""A header line up to this length is found with its last byte, even if each block is one byte."""

_ONE_LINE = (
    "is a single line without a line end, so it has a header and no rows; `curl -d` drops line ends: "
    "send the file with `--data-binary @FILE`"
)


class Chunker:
    """Takes an input in blocks of any size and returns its chunks.

    They depend only on the bytes, not on the blocks, unless `flush` asks for the rows that are there. A chunk ends with
    the last row that ends within `chunk_bytes` and `chunk_rows`, and has at least one row. All chunks but the last have
    a multiple of 64 rows, or of 4 if fewer than 64 fit. The reason is BLAS, which works on blocks of rows and treats
    the odd ones at the end differently, in the last bit: with such cuts a linear model predicts the same as for the
    whole file. Blank lines at a chunk's edges are left out.

    Rows of nothing but delimiters at the end of the file, which spreadsheets leave there, are not counted. They come as
    a last chunk of no rows. If they do not fit into a chunk, or if there are no other rows, they are normal rows.
    """

    delimiter: str
    """`auto` until the first line is there."""
    decoder: Decoder
    """Knows the encoding, and whether the input began with a byte order mark."""
    separator_line: bytes
    """The line `sep=;` before the header; it is neither the header nor a row. Empty if there is none."""
    header: Header | None
    line_end: bytes
    """The line end of the header line, or of the first row if there is no header."""
    data_start: int
    """Where rows may begin, behind the header line, in UTF-8 without a mark."""
    rows_total: int
    """Number of data rows found so far. Until `end`, blank ones at the end are counted."""
    bytes_total: int
    """Number of bytes fed so far."""

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
        features: Sequence[str] = (),
        encoding: str = "auto",
        keeps_blank_rows: bool = False,
    ) -> None:
        """Makes a chunker before the first byte.

        Args:
            delimiter: the option of this name; also `auto`.
            header: the option of this name.
            chunk_bytes: maximum bytes of a chunk.
            chunk_rows: maximum rows of a chunk.
            max_row_bytes: maximum bytes of a row, with its line end.
            max_columns: maximum number of columns.
            on_header: called as soon as the header line is there; its exceptions are passed on.
            features: the model's features, in order.
            encoding: the option of this name; also `auto`.
            keeps_blank_rows: whether rows of nothing but delimiters are rows at the end of the file, too.
        """
        self._chunk_bytes, self._max_row_bytes, self._max_columns = chunk_bytes, max_row_bytes, max_columns
        self._on_header, self._features, self._keeps_blank_rows = on_header, features, keeps_blank_rows
        self._awaits_header, self._at_start = header, True
        self._sha256 = hashlib.sha256()
        self._buffer = InputBuffer()
        self._rows = PendingRows(chunk_bytes, chunk_rows)
        self._chunks = 0
        self.delimiter, self.decoder = delimiter, Decoder(encoding)
        self.separator_line, self.header, self.line_end = b"", None, b"\n"
        self.rows_total = self.bytes_total = self.data_start = 0

    @property
    def sha256(self) -> str:
        """The digest of all bytes so far, in hex."""
        return self._sha256.hexdigest()

    def feed(self, block: bytes) -> Iterator[Chunk]:
        """Takes the next bytes and yields the chunks that they complete; take them all before the next block.

        Raises:
            NotUtf8: at once, for a byte that is not text.
            Unprocessable, TooLarge, and what `on_header` raises: at once, or while the chunks are taken.
        """
        self._sha256.update(block)
        self.bytes_total += len(block)
        try:
            text = self.decoder.feed(block)
        except BadByte as error:
            raise self._located(error) from None
        return self._take(text)

    def flush(self) -> Iterator[Chunk]:
        """Yields the complete rows so far as chunks, even small ones, when the sender pauses. Raises as `feed`."""
        yield from self._scan(final=False)
        if count := len(self._rows) - self._rows.blanks:
            yield self._cut(count)

    def end(self) -> Iterator[Chunk]:
        """Yields the last chunks.

        Raises:
            Unprocessable: the input has no rows, or a quote is still open.
            NotUtf8, TooLarge: as in `feed`.
        """
        try:
            self._buffer.append(self.decoder.end())
        except BadByte as error:
            raise self._located(error) from None
        yield from self._scan(final=True)
        if self._awaits_header or not self.rows_total:
            what = "is empty" if self._awaits_header or self.header is None else "has a header line and no rows"
            raise EmptyFile.at("file", what)
        blanks = self._rows.blanks if self._rows.blanks < self.rows_total else 0
        if count := len(self._rows) - blanks:
            yield self._cut(count)
        self.rows_total -= blanks
        if blanks:
            yield Chunk(self._chunks, self.rows_total + 1, 0, self._buffer.until(self._buffer.end))

    def _take(self, block: bytes) -> Iterator[Chunk]:
        with memoryview(block) as view:
            for start in range(0, len(block), _STEP_BYTES):
                self._buffer.append(view[start : start + _STEP_BYTES])
                if self._is_due():
                    yield from self._scan(final=False)

    def _is_due(self) -> bool:
        """Returns whether to look for rows now: often enough to notice each limit, rarely enough to stay linear.

        A row that has not ended is scanned again from its start, so the longer it is, the rarer its scans must be.
        """
        buffer = self._buffer
        unseen, known_open = buffer.end - buffer.scanned, buffer.scanned - buffer.row_start
        if self._awaits_header:
            wait = 0 if known_open < _SHORT_HEADER_BYTES else known_open // 8
        else:
            wait = max(min(_SCAN_BYTES, self._chunk_bytes), known_open)
        return unseen > wait or buffer.end - buffer.row_start > self._max_row_bytes

    def _scan(self, final: bool) -> Iterator[Chunk]:
        """Finds the rows in the bytes that have arrived since the last call, and yields each complete chunk."""
        if self._at_start:
            if (line := delimiter.separator_line(self._buffer.first(16), final=final)) is None:
                return
            self._at_start = False
            self._take_separator(line)
        if self.delimiter == delimiter.AUTO and not self._find_delimiter(final):
            return
        if self._awaits_header:
            self._find_header(final)
        if not self._awaits_header:
            self._find_rows(final)
            while count := self._rows.for_chunk(self._buffer.begin, self._buffer.row_start):
                yield self._cut(count)

    def _take_separator(self, line: bytes) -> None:
        self.separator_line = line
        self._buffer.row_start = self.data_start = len(line)
        self._drop_blank_lines()
        if line and self.delimiter == delimiter.AUTO:
            self.delimiter = delimiter.separator(line)

    def _find_delimiter(self, final: bool) -> bool:
        """Returns whether there are enough bytes to know the delimiter."""
        data = self._buffer.from_row()
        found = delimiter.find_delimiter(data, self._features, header=self._awaits_header, final=final)
        if found:
            self.delimiter = found
        elif len(data) > self._max_row_bytes:
            raise TooLarge(f"{self._row_name(0)} (bytes)", self._max_row_bytes, "ROWCAST_MAX_ROW_BYTES")
        self._buffer.scanned = self._buffer.end
        return found is not None

    def _find_header(self, final: bool) -> None:
        data, found = self._find_lines(final)
        if len(found):
            start, end, stop = int(found.starts[0]), int(found.ends[0]), int(found.stops[0])
            self._refuse_lone_return(data[start:stop])
            if stop == end:  # at the end of the file, so there are no rows
                raise LineEndsLost.at("file", _ONE_LINE)
            self.header = Header.read(data[start:stop], self._columns(data[start:end]), self.delimiter)
            self.line_end = data[end:stop]
            self._awaits_header = False
            self.data_start = self._buffer.row_start + stop
            if self._on_header:
                self._on_header(self.header)
        self._buffer.row_start += int(found.stops[0]) if len(found) else found.rest
        self._drop_blank_lines()

    def _find_rows(self, final: bool) -> None:
        data, found = self._find_lines(final)
        if not self.rows_total and len(found) and self.header is None:
            start, end, stop = int(found.starts[0]), int(found.ends[0]), int(found.stops[0])
            self._columns(data[start:end])
            self.line_end = data[end:stop] or self.line_end
        self.rows_total += len(found)
        blanks = 0 if self._keeps_blank_rows else trailing_blanks(data, found, self.delimiter)
        row_start = self._buffer.row_start
        self._rows.add(row_start + found.starts, row_start + found.stops, blanks)
        self._buffer.row_start += found.rest
        self._drop_blank_lines()

    def _find_lines(self, final: bool) -> tuple[bytes, scan.Lines]:
        """Returns the bytes from the unfinished row on, and the lines that end in them.

        Raises:
            TooLarge: a line is too long.
            CsvSyntax: the input has ended within quotes.
        """
        data = self._buffer.from_row()
        self._buffer.scanned = self._buffer.end
        inside = scan.quoted(data, self.delimiter)
        limit = self._max_row_bytes
        found = scan.lines(data, inside, self.delimiter, final=final, most_blank_bytes=limit)
        long = np.flatnonzero(found.stops - found.starts > limit)
        if len(long) or len(data) - found.rest > limit:
            where = self._row_name(int(long[0]) if len(long) else len(found))
            advice = "; is a quote not closed?" if inside.is_open and not len(long) else ""
            raise TooLarge(f"{where} (bytes{advice})", limit, "ROWCAST_MAX_ROW_BYTES")
        if final and inside.is_open:
            where = self._row_name(len(found) - 1)
            raise CsvSyntax.at(where, "a quote opens here and is never closed")
        return data, found

    def _located(self, error: BadByte) -> Unprocessable:
        """Returns the error with its row and column. Raises another one if that comes first in the file."""
        self._buffer.append(error.good)
        for _ in self._scan(final=False):
            pass
        where = "header"
        if not self._awaits_header:
            where = f"row {self.rows_total + 1}{self._open_column()}"
        if error.is_nul:
            return NotText.at(where, error.message)
        return NotUtf8(error.offset, where, error.message)

    def _open_column(self) -> str:
        """Returns the name of the column in which the bytes end, as `, column 'age'`; empty if it is unknown."""
        names = self.header.columns if self.header else self._features
        if self.delimiter == delimiter.AUTO or not names:
            return ""
        row = self._buffer.from_row()
        place = len(scan.fields(row, self.delimiter)) - 1
        return f", column {names[place]!r}" if place < len(names) else ""

    def _row_name(self, index: int) -> str:
        """Returns how messages call the row that comes `index` rows after the known ones."""
        if self._awaits_header and index == 0:
            return "The header line"
        return f"Row {self.rows_total + index + (0 if self._awaits_header else 1)}"

    def _columns(self, line: bytes) -> list[bytes]:
        columns = scan.fields(line, self.delimiter)
        if len(columns) > self._max_columns:
            raise TooLarge(f"The number of columns, {len(columns)},", self._max_columns, "ROWCAST_MAX_COLUMNS")
        return columns

    def _refuse_lone_return(self, line: bytes) -> None:
        if len(scan.lone_returns(line, scan.quoted(line, self.delimiter))):
            raise CsvSyntax.at("header", "has a carriage return outside a line end; lines end in LF or CRLF")

    def _cut(self, count: int) -> Chunk:
        first_row = self.rows_total - len(self._rows) + 1
        chunk = Chunk(self._chunks, first_row, count, self._buffer.until(self._rows.take(count)))
        self._chunks += 1
        self._drop_blank_lines()
        return chunk

    def _drop_blank_lines(self) -> None:
        """Lets the buffer begin with a row. Otherwise an input of blank lines could fill the memory."""
        self._buffer.drop_until(self._rows.begin if len(self._rows) else self._buffer.row_start)
