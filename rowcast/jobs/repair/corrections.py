"""Corrections: the rows that a caller sends back, as a CSV with the column `_row`, or as objects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from rowcast.csv import scan
from rowcast.csv.chunker import Chunker
from rowcast.csv.header import Header
from rowcast.csv.write import csv_cell, csv_row
from rowcast.errors import CorrectionFault, TooLarge
from rowcast.jobs.repair.bad_rows import JOB_COLUMN, OWN_COLUMNS, ROW_COLUMN, correction_columns
from rowcast.settings import Settings
from rowcast.wording.nearest import nearest
from rowcast.wording.quantity import counted

MOST_BYTES, MOST_ROWS = 16 * 1024 * 1024, 100_000
"""Maximum bytes and rows of the corrections in one call, because the gateway holds them in memory."""

_CHUNK_BYTES, _CHUNK_ROWS = 64 * 1024, 500
"""So few at a time that other requests do not wait for long."""


@dataclass(frozen=True)
class Correction:
    """What one row becomes."""

    fields: Mapping[int, bytes]
    """The corrected fields by the place of their column in the input, written with the job's delimiter."""
    whole: bytes | None = None
    """The whole row, if all of its columns are there; then `fields` is empty."""

    def applied_to(self, row: bytes, number: int, columns: int, delimiter: str) -> bytes:
        """Returns the corrected row. `row` is without its line end; `columns` is the number of the input's columns.

        Raises:
            CorrectionFault: some columns are not in the correction, and the row itself does not have them either.
        """
        corrected = self.whole
        if corrected is None:
            fields = scan.fields(row, delimiter)
            if len(fields) != columns:
                raise CorrectionFault.at(
                    f"row {number}",
                    f"has {counted(len(fields), 'field')} instead of {columns}, so send all of its columns",
                )
            for place, field in self.fields.items():
                fields[place] = field
            corrected = delimiter.encode().join(fields)
        blank = not corrected.strip(b" \t") and (delimiter != "\t" or columns == 1)
        return b'"' + corrected + b'"' if blank else corrected  # a blank line would not be a row


class CorrectionReader:
    """Reads the corrections of one job."""

    def __init__(
        self,
        columns: Sequence[str],
        delimiter: str,
        rows: int,
        settings: Settings,
        *,
        job_id: str,
        is_converted: bool = False,
    ) -> None:
        """Takes the columns and the delimiter of the job's input, and its number of rows.

        `is_converted` says that a worker made the rows of a file that is not CSV. Quotes that are not needed have a
        meaning there (`converted_cells.py`), but not in a correction, which is CSV. So they are dropped.
        """
        self._names, self._is_converted = correction_columns(columns)[len(OWN_COLUMNS) :], is_converted
        self._job_id = job_id
        self._delimiter, self._rows, self._settings = delimiter, rows, settings

    def csv(self, blocks: Iterable[bytes], encoding: str = "auto") -> dict[int, Correction]:
        """Reads a CSV in blocks of any size. Returns the corrections by the row's number.

        `encoding` is as the option of this name.

        Raises:
            CorrectionFault: a column or a row does not fit. TooLarge: it has more than `MOST_BYTES` or `MOST_ROWS`.
            The others are those of reading a CSV (`Chunker`).
        """
        chunker = Chunker(
            delimiter="auto",
            header=True,
            chunk_bytes=_CHUNK_BYTES,
            chunk_rows=_CHUNK_ROWS,
            max_row_bytes=self._settings.max_row_bytes,
            max_columns=self._settings.max_columns + len(OWN_COLUMNS),
            on_header=None,
            features=(ROW_COLUMN, *self._names),
            encoding=encoding,
            keeps_blank_rows=True,
        )
        found: dict[int, Correction] = {}
        for data in _chunks(chunker, blocks):
            header = cast(Header, chunker.header)  # it comes before the first chunk
            places = self._places(header)
            lines = scan.lines(data, scan.quoted(data, chunker.delimiter), chunker.delimiter, final=True)
            for start, end in zip(lines.starts.tolist(), lines.ends.tolist(), strict=True):
                self._add(found, *self._row(data[start:end], header, places))
        return found

    def objects(self, objects: Sequence[Any]) -> dict[int, Correction]:
        """Reads objects, each with `_row` and the columns that change: `{"_row": 7, "age": 31}`.

        Raises:
            CorrectionFault: a member or a row does not fit.
        """
        found: dict[int, Correction] = {}
        for index, item in enumerate(objects):
            where = f"rows[{index}]"
            if not isinstance(item, Mapping) or ROW_COLUMN not in item:
                raise CorrectionFault.at(where, 'must be an object such as {"_row": 7, "age": 31}')
            self._require_job(str(item.get(JOB_COLUMN, "")), where)
            names = [name for name in item if name not in OWN_COLUMNS]
            cells = {self._place(name, where): csv_row([item[name], ""], self._delimiter) for name in names}
            fields = {place: cell[: -len(self._delimiter) - 1] for place, cell in cells.items()}
            self._add(found, self._number(str(item[ROW_COLUMN]), where), Correction(fields))
        return found

    def _places(self, header: Header) -> dict[int, int]:
        """Returns the place in the input of each column of the file, by its place in the file."""
        if ROW_COLUMN not in header.columns:
            raise CorrectionFault.at(
                "header line", "has no column '_row', which says the number of each row in the job"
            )
        return {
            place: self._place(name, "header") for place, name in enumerate(header.columns) if name not in OWN_COLUMNS
        }

    def _place(self, name: str, where: str) -> int:
        if name not in self._names:
            close = nearest(name, self._names[:500])
            hint = f"; the nearest is {close!r}" if close else ""
            raise CorrectionFault.at(f"{where}.{name}", f"is not a column of the job's input{hint}")
        return self._names.index(name)

    def _row(self, row: bytes, header: Header, places: Mapping[int, int]) -> tuple[int, Correction]:
        fields = scan.fields(row, header.delimiter)
        number = self._number(_cell(fields, header, ROW_COLUMN), "column _row")
        self._require_job(_cell(fields, header, JOB_COLUMN), f"row {number}")
        if len(fields) == len(header.columns):
            corrected = {place: self._field(fields[at], header) for at, place in places.items()}
            if len(corrected) < len(self._names):
                return number, Correction(corrected)
            return number, Correction({}, self._joined([corrected[place] for place in range(len(self._names))]))
        own = len(header.columns) - len(self._names)
        is_as_given = list(header.columns) == [*OWN_COLUMNS[: max(own, 2)], *self._names]
        if not is_as_given or header.delimiter != self._delimiter:
            raise CorrectionFault.at(
                f"row {number}", f"has {counted(len(fields), 'field')} instead of {len(header.columns)}"
            )
        return number, Correction({}, self._joined([self._field(field, header) for field in fields[own:]]))

    def _joined(self, fields: Sequence[bytes]) -> bytes:
        return self._delimiter.encode().join(fields)

    def _field(self, field: bytes, header: Header) -> bytes:
        """Returns the same field as the job's delimiter needs it."""
        is_as_needed = header.delimiter == self._delimiter and not self._is_converted
        return field if is_as_needed else csv_cell(scan.text(field), self._delimiter)

    def _number(self, text: str, where: str) -> int:
        if not (text.isascii() and text.isdigit() and 1 <= int(text) <= self._rows):
            raise CorrectionFault.at(where, f"{text[:40]!r} is not the number of a row: 1 to {self._rows}")
        return int(text)

    def _require_job(self, id: str, where: str) -> None:
        """Checks that a row, which names its job or none, is not one of another job."""
        if id.strip() not in ("", self._job_id):
            raise CorrectionFault.at(where, f"is a row of the job {id.strip()[:40]}, and this is {self._job_id}")

    def _add(self, found: dict[int, Correction], number: int, correction: Correction) -> None:
        if number in found:
            raise CorrectionFault.at(f"row {number}", "is there twice")
        if len(found) == MOST_ROWS:
            raise TooLarge("The number of corrected rows", MOST_ROWS, "fixed; send them in several calls")
        found[number] = correction


def _cell(fields: Sequence[bytes], header: Header, name: str) -> str:
    """Returns the cell of a column; empty if the file or the row does not have it."""
    at = header.columns.index(name) if name in header.columns else len(fields)
    return scan.text(fields[at]) if at < len(fields) else ""


def _chunks(chunker: Chunker, blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        if chunker.bytes_total + len(block) > MOST_BYTES:
            raise TooLarge("The corrected rows", MOST_BYTES, "fixed; send them in several calls")
        for chunk in chunker.feed(block):
            yield chunk.data
    for chunk in chunker.end():
        yield chunk.data
