"""A CSV file to train from, plain or gzipped, as columns of cells; it does not say what a cell means."""

import csv
import gzip
import io
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from rowcast.errors import NotFound, NotUtf8, Unprocessable, Unreadable
from rowcast.models.cells import NA_TEXTS
from rowcast.nearest import or_nearest

GZIP = b"\x1f\x8b"

Cell = str | None
"""The text of a cell, unquoted; None if it is missing, which pandas takes an empty cell and `NA` to be."""


@dataclass(frozen=True)
class CsvFile:
    """The cells of a file, column by column; all columns have `rows` cells."""

    name: str
    columns: dict[str, list[Cell]]
    rows: int

    def column(self, wanted: str, where: str) -> list[Cell]:
        """The cells of one column.

        Raises:
            Unprocessable: there is no such column; says `where` it was asked for, and the nearest one.
        """
        if wanted not in self.columns:
            near = or_nearest(wanted, self.columns)
            raise Unprocessable.at(where, f"{self.name} has no column {wanted!r}; {near}")
        return self.columns[wanted]


def read_csv(path: Path) -> CsvFile:
    """Reads the whole file (RFC 4180, UTF-8, a comma between cells, a header line; blank lines are no rows).

    Raises:
        NotFound: there is no such file.
        Unreadable: it cannot be read, or is broken gzip.
        Unprocessable: it is empty, not UTF-8, names a column twice, or has rows of another length.
    """
    try:
        with io.TextIOWrapper(_open(path), encoding="utf-8-sig", newline="") as text:
            return _columns(path.name, _records(path.name, text))
    except FileNotFoundError:
        raise NotFound(f"File not found: {path}.") from None
    except UnicodeDecodeError:
        offset = _first_bad_byte(path)
        raise NotUtf8(offset, str(path), f"the byte at offset {offset} is not UTF-8") from None
    except (OSError, EOFError) as error:
        raise Unreadable(f"{path} cannot be read: {error}") from error


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(2) == GZIP
    return cast(BinaryIO, gzip.open(path, "rb")) if zipped else path.open("rb")


def _records(name: str, text: TextIO) -> Iterator[list[str]]:
    csv.field_size_limit(sys.maxsize)  # the module's own limit of 128 KiB is for hostile files, not for one's own
    reader = csv.reader(text)
    try:
        yield from (record for record in reader if record and not _is_blank(record))
    except csv.Error as error:
        raise Unprocessable(f"{name}, line {reader.line_num}: {error}.") from error


def _is_blank(record: Sequence[str]) -> bool:
    """Whether a line had spaces and tabs only, which pandas skips, too."""
    return len(record) == 1 and record[0] != "" and not record[0].strip(" \t")


def _columns(name: str, records: Iterator[list[str]]) -> CsvFile:
    header = next(records, None)
    if header is None:
        raise Unprocessable(f"{name} is empty.")
    header = [column or f"Unnamed: {place}" for place, column in enumerate(header)]  # as pandas calls them
    _require_distinct(name, header)
    columns: list[list[Cell]] = [[] for _ in header]
    same: dict[str, Cell] = dict.fromkeys(NA_TEXTS)  # most files repeat their cells: one string for all that are equal
    row = 0
    for row, record in enumerate(records, 1):
        if len(record) != len(header):
            raise Unprocessable(f"{name}, row {row}: it has {_fields(len(record))}, the header has {len(header)}.")
        for column, cell in zip(columns, record, strict=True):
            column.append(same.setdefault(cell, cell))
    if row == 0:
        raise Unprocessable(f"{name} has a header line but no rows.")
    return CsvFile(name, dict(zip(header, columns, strict=True)), row)


def _fields(count: int) -> str:
    return "1 field" if count == 1 else f"{count} fields"


def _require_distinct(name: str, header: Sequence[str]) -> None:
    twice = sorted({column for column in header if header.count(column) > 1})
    if twice:
        raise Unprocessable(f"{name} has more than one column {', '.join(map(repr, twice))}.")


def _first_bad_byte(path: Path) -> int:
    """The offset of the first byte that is not UTF-8. No character spans a line end."""
    offset = 0
    with _open(path) as file:
        for line in file:
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return offset + error.start
            offset += len(line)
    return offset
