"""A CSV file to train from, as columns of cells. Their meaning is found in `column_kinds.py`."""

import csv
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rowcast.errors import Unprocessable
from rowcast.models.cells import NA_TEXTS
from rowcast.wording.quantity import counted
from training.input_file import no_column, read_text

Cell = str | None
"""The text of a cell without its quotes; None if it means missing, for example an empty cell or `NA`."""


@dataclass(frozen=True)
class CsvFile:
    """The cells of a file, column by column; all columns have `rows` cells."""

    name: str
    columns: dict[str, list[Cell]]
    rows: int

    def column(self, wanted: str, where: str) -> list[Cell]:
        """Returns the cells of one column.

        Raises:
            Unprocessable: there is no such column; the error has `where` it was asked for, and the nearest one.
        """
        if wanted not in self.columns:
            raise no_column(self.name, wanted, self.columns, where)
        return self.columns[wanted]


def read_csv(path: Path) -> CsvFile:
    """Reads the whole file: RFC 4180 with a header line and commas. Blank lines are not rows.

    Raises:
        NotFound, Unreadable, NotUtf8: see `read_text`.
        Unprocessable: it is empty, names a column twice, or has rows of another length.
    """
    return _columns(path.name, _records(path.name, read_text(path)))


def _records(name: str, text: str) -> Iterator[list[str]]:
    """Yields the records of all lines but blank ones (spaces and tabs). A quoted blank is a cell, as in pandas."""
    csv.field_size_limit(sys.maxsize)  # the module's own limit of 128 KiB protects from hostile files
    lines = _Lines(text)
    reader = csv.reader(lines)
    try:
        for record in reader:
            if lines.last.strip(" \t\r\n"):
                yield record
    except csv.Error as error:
        raise Unprocessable(f"{name}, line {reader.line_num}: {error}.") from error


class _Lines:
    """The lines of a text, with their ends."""

    def __init__(self, text: str) -> None:
        self._rest = io.StringIO(text, newline="")
        self.last = ""
        """The line that was read last."""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last = next(self._rest)
        return self.last


def _columns(name: str, records: Iterator[list[str]]) -> CsvFile:
    header = next(records, None)
    if header is None:
        raise Unprocessable(f"{name} is empty.")
    header = [column or f"Unnamed: {place}" for place, column in enumerate(header)]  # as pandas calls them
    _require_distinct_columns(name, header)
    columns: list[list[Cell]] = [[] for _ in header]
    same: dict[str, Cell] = dict.fromkeys(NA_TEXTS)  # most files repeat their cells: equal ones share a string
    row = 0
    for row, record in enumerate(records, 1):
        if len(record) != len(header):
            raise Unprocessable(
                f"{name}, row {row}: it has {counted(len(record), 'field')}, the header has {len(header)}."
            )
        for column, cell in zip(columns, record, strict=True):
            column.append(same.setdefault(cell, cell))
    if row == 0:
        raise Unprocessable(f"{name} has a header line but no rows.")
    return CsvFile(name, dict(zip(header, columns, strict=True)), row)


def _require_distinct_columns(name: str, header: Sequence[str]) -> None:
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise Unprocessable(f"{name} has more than one column {', '.join(map(repr, twice))}.")
