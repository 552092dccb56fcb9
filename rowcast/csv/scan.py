"""The positions of the rows and fields of a CSV, in bytes: RFC 4180, and otherwise as Python's `csv.reader`.

A quote opens a quoted field only at the field's start; elsewhere it is a normal character. Inside quotes, `""` means
one quote. Text after a closing quote belongs to the field. Rows end at LF or CRLF outside quotes. Every function takes
bytes that begin where a row begins. All of it is linear, and numpy does the loops: quotes, delimiters and line ends
are single bytes in UTF-8 and are never part of another character.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
Mask = NDArray[np.bool_]

LF, CR, QUOTE = 10, 13, 34


@dataclass(frozen=True)
class Quoted:
    """The stretches in quotes: each from `opens`, where a quote opens, to `closes`, where the next one closes it.

    One that is still open at the end closes at the length of the data. `"a""b"` may count as two stretches.
    """

    opens: Positions
    closes: Positions
    length: int

    @property
    def is_open(self) -> bool:
        """Whether a quote is open at the end."""
        return bool(len(self.closes)) and int(self.closes[-1]) == self.length

    def outside(self, positions: Positions) -> Positions:
        """Returns the sorted `positions` outside quotes; none of them may be that of a quote."""
        if not len(self.opens):
            return positions
        opened = np.searchsorted(self.opens, positions)
        last = np.maximum(opened - 1, 0)
        free: Mask = (opened == 0) | (positions > self.closes[last])
        return positions[free]


@dataclass(frozen=True)
class Lines:
    """The rows' places, shape (rows,) each: `data[start:end]` is the row, `data[end:stop]` its line end.

    Blank lines, empty or of spaces and tabs, are left out, because they are not rows. No line ends after `rest`.
    """

    starts: Positions
    ends: Positions
    stops: Positions
    rest: int
    are_plain: bool
    """Whether each row ends in LF, every LF ends a row, and nothing else is there: most files are so."""

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True)
class Fields:
    """The fields of the rows in `lines`: `counts` of them in each; `firsts` is the index of a row's first delimiter."""

    lines: Lines
    delimiters: Positions
    firsts: Positions
    counts: Positions

    def spans(self, place: int) -> tuple[Positions, Positions]:
        """Returns where each row's field at `place` (from 0) begins and ends; empty if the row lacks the field."""
        padded = np.append(self.delimiters, 0)
        at = np.minimum(self.firsts + place, len(self.delimiters))
        begins = padded[at - 1] + 1 if place else self.lines.starts
        ends = np.where(place < self.counts - 1, padded[at], self.lines.ends)
        is_there = place < self.counts
        return np.where(is_there, begins, 0), np.where(is_there, ends, 0)

    def spans_of(self, rows: Positions, place: int) -> tuple[Positions, Positions]:
        """Returns where the field at `place` begins and ends in some rows, which have the field."""
        at, lines = self.firsts[rows] + place, self.lines
        begins = self.delimiters[at - 1] + 1 if place else lines.starts[rows]
        ends = lines.ends[rows]
        is_parted = place < self.counts[rows] - 1
        ends[is_parted] = self.delimiters[at[is_parted]]
        return begins, ends


def quoted(data: bytes, delimiter: str) -> Quoted:
    """Finds the stretches in quotes."""
    if QUOTE not in data:
        nowhere = np.empty(0, np.int64)
        return Quoted(nowhere, nowhere, len(data))
    marks = _find(data, QUOTE)
    opens, closes = marks[0::2], marks[1::2]
    if not _at_field_starts(data, opens, delimiter, or_quotes=True).all():
        opens, closes = _one_by_one(data, marks[_at_field_starts(data, marks, delimiter)])
    if len(closes) < len(opens):
        closes = np.append(closes, len(data))
    return Quoted(opens, closes, len(data))


def lines(data: bytes, inside: Quoted, delimiter: str, *, final: bool, most_blank_bytes: int | None = None) -> Lines:
    """Finds the rows.

    Args:
        data: bytes that begin where a row begins.
        inside: its stretches in quotes.
        delimiter: what parts fields; lines of tabs are not blank if it is a tab.
        final: the data ends here, and so does a last line without a line end.
        most_blank_bytes: lines of spaces and tabs that are longer, line end included, count as rows.
    """
    feeds = _find(data, LF)
    stops = inside.outside(feeds) + 1
    rest = int(stops[-1]) if len(stops) else 0
    bytes_of = np.frombuffer(data, np.uint8)
    starts = np.concatenate([np.zeros(1, np.int64), stops[:-1]])[: len(stops)]
    ends = stops - 1
    ends = ends - ((ends > starts) & (bytes_of[ends - 1] == CR))
    if final and rest < len(data):
        starts, ends, stops = np.append(starts, rest), np.append(ends, len(data)), np.append(stops, len(data))
        rest = len(data)
    filled = ends > starts
    if not filled.all():
        starts, ends, stops = starts[filled], ends[filled], stops[filled]
    blank = _are_blank(data, starts, ends, delimiter)
    if most_blank_bytes is not None:
        blank &= stops - starts <= most_blank_bytes
    if blank.any():
        starts, ends, stops = starts[~blank], ends[~blank], stops[~blank]
    is_all = (int(stops[-1]) if len(stops) else 0) == len(data)
    are_plain = is_all and len(stops) == len(feeds) and bool((ends + 1 == stops).all())
    return Lines(starts, ends, stops, rest, are_plain)


def delimiters(data: bytes, inside: Quoted, delimiter: str) -> Positions:
    """Finds the delimiters that part fields."""
    return inside.outside(_find(data, ord(delimiter)))


def split(data: bytes, inside: Quoted, delimiter: str, expected: int) -> Fields:
    """Finds the rows of data that ends here, and their fields. It is fastest where each row has `expected` fields."""
    rows, parting = lines(data, inside, delimiter, final=True), delimiters(data, inside, delimiter)
    between = expected - 1
    firsts = np.arange(len(rows)) * between
    if len(parting) == len(rows) * between:
        by_row = parting.reshape(len(rows), between)
        if not between or bool(np.all((by_row[:, 0] >= rows.starts) & (by_row[:, -1] < rows.ends))):
            return Fields(rows, parting, firsts, np.full(len(rows), expected))
    firsts = np.searchsorted(parting, rows.starts)
    return Fields(rows, parting, firsts, np.searchsorted(parting, rows.ends) - firsts + 1)


def lone_returns(data: bytes, inside: Quoted) -> Positions:
    """Finds the carriage returns outside quotes that are not part of a CRLF."""
    if CR not in data:
        return np.empty(0, np.int64)
    returns = _find(data, CR)
    after = np.append(np.frombuffer(data, np.uint8), 0)[returns + 1]
    return inside.outside(returns[after != LF])


def fields(row: bytes, delimiter: str) -> list[bytes]:
    """Returns the fields of one row, without its line end, as they were sent."""
    ends = [*delimiters(row, quoted(row, delimiter), delimiter).tolist(), len(row)]
    starts = [0, *(end + 1 for end in ends[:-1])]
    return [row[start:end] for start, end in zip(starts, ends, strict=True)]


def text(field: bytes) -> str:
    """Returns the text of a field, without its quotes."""
    if field[:1] != b'"':
        return field.decode()
    end = _closing(field, 1)
    return (field[1:end].replace(b'""', b'"') + field[end + 1 :]).decode()


def _find(data: bytes, byte: int) -> Positions:
    return np.flatnonzero(np.frombuffer(data, np.uint8) == byte)


def _are_blank(data: bytes, starts: Positions, ends: Positions, delimiter: str) -> Mask:
    """Returns which of the lines, none of them empty, have spaces and tabs only. `pandas.read_csv` skips these.

    It skips no line with the delimiter in it, even if that is a tab, none with quotes, and none with other white space.
    """
    blanks = b" " if delimiter == "\t" else b" \t"
    bytes_of = np.frombuffer(data, np.uint8)
    blank: Mask = np.isin(bytes_of[starts], list(blanks))
    if not blank.any():
        return blank
    for place in (ends - 1, (starts + ends) // 2):  # leaves few lines to look at whole, also if all cells are padded
        blank &= np.isin(bytes_of[place], list(blanks))
    for line in np.flatnonzero(blank).tolist():
        blank[line] = not data[starts[line] : ends[line]].strip(blanks)
    return blank


def _at_field_starts(data: bytes, marks: Positions, delimiter: str, or_quotes: bool = False) -> Mask:
    """Returns which of the quotes stand behind a delimiter, a line feed or nothing; `or_quotes`: or behind a quote.

    If each quote that opens by parity does so, parity is right: one behind a quote is the second half of a `""`.
    """
    before = np.frombuffer(data, np.uint8)[marks - 1]
    at_start: Mask = (before == ord(delimiter)) | (before == LF) | (marks == 0)
    if or_quotes:
        at_start |= before == QUOTE
    return at_start


def _one_by_one(data: bytes, candidates: Positions) -> tuple[Positions, Positions]:
    """Returns the stretches if some quotes are plain characters: only `candidates`, at fields' starts, can open one."""
    opens, closes, free_from = [], [], 0
    for candidate in candidates.tolist():
        if candidate >= free_from:
            end = _closing(data, candidate + 1)
            opens.append(candidate)
            closes.append(end)
            free_from = end + 1
    return np.array(opens, np.int64), np.array(closes, np.int64)


def _closing(data: bytes, start: int) -> int:
    """Returns where a quoted field with content from `start` on closes; the length of the data if it does not."""
    while (end := data.find(b'"', start)) >= 0:
        if data[end + 1 : end + 2] != b'"':
            return end
        start = end + 2
    return len(data)
