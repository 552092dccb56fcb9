"""The rows of an upload that no chunk has taken yet, and how many of them the next chunk takes."""

from dataclasses import dataclass

import numpy as np

from rowcast.csv import scan


@dataclass(frozen=True)
class Chunk:
    """Whole rows, as sent, in UTF-8."""

    number: int
    """Counts from 0."""
    first_row: int
    """The place of its first row among the data rows of the file, from 1."""
    rows: int
    """Number of its rows. If 0, it has the blank rows at the end of a file, which are not predicted."""
    data: bytes


class PendingRows:
    """Rows by their start and stop in the file, from 0; the chunker has their bytes.

    Blank rows at the end, which have only delimiters, are held back until it is known whether another row follows, or
    until they are more than a chunk can have.
    """

    def __init__(self, chunk_bytes: int, chunk_rows: int) -> None:
        """Takes the maximum bytes and rows of a chunk."""
        self._chunk_bytes, self._chunk_rows = chunk_bytes, chunk_rows
        self._places = np.empty((2, 0), np.int64)
        """Starts and stops, shape (2, rows)."""
        self.blanks = 0
        """Number of blank rows at the end."""

    def __len__(self) -> int:
        return self._places.shape[1]

    @property
    def begin(self) -> int:
        """Start of the first row; there must be one."""
        return int(self._places[0, 0])

    def add(self, starts: scan.Positions, stops: scan.Positions, blanks: int) -> None:
        """Adds rows; `blanks` is the number of blank rows at their end."""
        self._places = np.hstack([self._places, np.stack([starts, stops])])
        self.blanks = blanks + (self.blanks if blanks == len(starts) else 0)

    def take(self, count: int) -> int:
        """Takes rows from the front; returns where the last of them stops."""
        stop = int(self._places[1, count - 1])
        self._places = self._places[:, count:]
        self.blanks = min(self.blanks, len(self))
        return stop

    def for_chunk(self, begin: int, end: int) -> int:
        """Returns how many rows the next chunk takes.

        Returns 0 until it is certain that no more fit. `begin` is where the chunk's bytes begin, `end` where the row
        begins that has not ended.
        """
        limit = begin + self._chunk_bytes
        if not len(self) or (end <= limit and len(self) <= self._chunk_rows):
            return 0
        fitting = int(np.searchsorted(self._places[1], limit, "right"))
        count = even(min(max(fitting, 1), self._chunk_rows))
        if count > len(self) - self.blanks and end - int(self._places[0, -self.blanks]) <= self._chunk_bytes:
            return 0
        return count


def even(rows: int) -> int:
    """Returns the largest number of rows up to `rows` that BLAS takes in whole blocks."""
    for block in (64, 4):
        if rows >= block:
            return rows - rows % block
    return rows


def trailing_blanks(data: bytes, lines: scan.Lines, delimiter: str) -> int:
    """Returns how many rows at the end of `lines` are blank: at least two fields, each empty, of blanks, or `""`."""
    if not len(lines):
        return 0
    mark = delimiter.encode()
    if data[int(lines.starts[-1]) : int(lines.ends[-1])].strip(mark + b'" \t'):
        return 0  # without a copy of the data, which would be slow
    filled = len(data[: int(lines.stops[-1])].rstrip(mark + b'" \t\r\n'))
    first = int(np.searchsorted(lines.starts, filled))
    if first == len(lines) or not data[int(lines.starts[first]) : int(lines.stops[-1])].translate(None, mark + b"\r\n"):
        return len(lines) - first
    count = 0
    for start, end in zip(lines.starts[first:][::-1].tolist(), lines.ends[first:][::-1].tolist(), strict=True):
        if not _is_blank(data[start:end], delimiter):
            break
        count += 1
    return count


def _is_blank(row: bytes, delimiter: str) -> bool:
    fields = scan.fields(row, delimiter)
    return len(fields) > 1 and all(not scan.text(field).strip() for field in fields)
