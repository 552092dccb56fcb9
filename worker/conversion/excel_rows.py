"""The rows of the first sheet of an Excel workbook (.xlsx) as CSV. Cells mean what `pandas.read_excel` reads."""

import datetime
import re
import resource
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from python_calamine import CalamineError, CalamineWorkbook

from rowcast.csv.write import InQuotes, csv_row
from rowcast.errors import BrokenFile, TooLarge
from rowcast.memory import MIB
from rowcast.models.model_manifest import Feature
from rowcast.scoring.converted_cells import in_file_form, takes_text
from worker.conversion.features_by_name import FeaturesByName, unlike

MAX_FILE_BYTES = 512 * MIB
MAX_UNPACKED_BYTES = 2048 * MIB
"""Largest size of what is in a workbook: it is in memory as a whole when it is read."""

MAX_CELLS = 32 * 1024**2
"""Largest number of cells of a sheet, the empty ones included: 30 columns if all rows are used."""

_MOST_MORE_BYTES = 4096 * MIB
"""Memory that reading a workbook may take before the process is ended."""

_RATIO, _RATIO_FROM_BYTES = 250, 16 * MIB
_ROWS = 1024
_DIMENSION = re.compile(rb'<(?:\w+:)?dimension\s+ref="[A-Z]+[0-9]+:([A-Z]+)([0-9]+)"')
_LARGEST_INTEGER = 2**63
_OTHER_FORMAT = "send it as CSV or Parquet"


class ExcelRows:
    """An open workbook.

    Raises:
        BrokenFile: it cannot be read. TooLarge: it is larger than a worker may have in memory.
    """

    def __init__(self, file: BinaryIO, features: FeaturesByName, max_columns: int) -> None:
        """`features` are those that the models look at, by name."""
        self._features = features
        _check_size(file)
        file.seek(0)
        try:
            with _limited_memory():
                sheet = CalamineWorkbook.from_filelike(file).get_sheet_by_index(0)
        except (CalamineError, OSError, ValueError, IndexError) as error:
            raise BrokenFile(f"The Excel workbook cannot be read: {error}.") from error
        if sheet.total_width > max_columns:
            raise TooLarge(f"The number of columns, {sheet.total_width},", max_columns, "ROWCAST_MAX_COLUMNS")
        self._cells = (row for row in sheet.iter_rows())
        self._height = sheet.end[0] + 1 if sheet.end else 0
        self._rows_before = 0
        first = self._first_row()
        self._names = [_name(cell) for cell in first]

    @property
    def header(self) -> bytes:
        """The header line: the first row that is not empty. It is empty if the sheet is."""
        return csv_row(self._names) if self._names else b""

    @property
    def dtypes(self) -> dict[str, str]:
        """`Spec.dtypes` of this file: booleans and dates that two models know in different forms."""
        kinds = {name: {feature.kind for feature in features} for name, features in self._features.items()}
        shared = [name for name in self._names if len(unlike(self._features.get(name, ()))) > 1]
        return {name: "bool" if "boolean" in kinds[name] else "datetime64" for name in shared}

    def check(self) -> None:
        """Does nothing: in Excel, each cell has a type, and columns have none."""

    @property
    def row_count(self) -> int:
        """Number of rows below the header, with empty ones at the end."""
        return self._height - self._rows_before

    def rows(self, most: int | None = None) -> Iterator[bytes]:
        """Yields the rows, or `most` of them, some at a time. Empty rows at the end are left out, as pandas does."""
        held: list[bytes] = []
        forms = self.dtypes
        features = [
            tuple(in_file_form(feature) if name in forms else feature for feature in self._features.get(name, ()))
            for name in _unique(self._names)
        ]
        empty = csv_row([None] * len(self._names))
        blanks = 0
        for row in self._cells if most is None else islice(self._cells, most):
            if all(cell == "" for cell in row):
                blanks += 1
                continue
            cells = [_cell_of_each(cell, each) for cell, each in zip(row, features, strict=True)]
            held += [empty] * blanks
            held.append(csv_row(cells))
            blanks = 0
            if len(held) >= _ROWS:
                yield b"".join(held)
                held.clear()
        if held:
            yield b"".join(held)

    def _first_row(self) -> list[Any]:
        for row in self._cells:
            self._rows_before += 1
            if any(cell != "" for cell in row):
                return list(row)
        return []


def _unique(names: list[str]) -> list[str]:
    """Returns the names as they are looked up: a name that stands in the header again is left empty."""
    seen: set[str] = set()
    found = []
    for name in names:
        found.append("" if name in seen else name)
        seen.add(name)
    return found


def _name(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell)


def _cell_of_each(cell: Any, features: tuple[Feature, ...]) -> object:
    """Returns what a cell is in the CSV: one that all of its features read, as far as there is one."""
    if len(features) < 2:
        return _cell(cell, features[0] if features else None)
    first, *others = [_cell(cell, feature) for feature in features]
    if all(type(other) is type(first) and other == first for other in others):
        return first
    quoted = next((one for one in (first, *others) if isinstance(one, InQuotes)), None)
    return _cell(cell, None) if quoted is None else quoted


def _cell(cell: Any, feature: Feature | None) -> object:
    """Returns what a cell is in the CSV: a text, a number, or None if it is empty.

    A cell that would be text for the feature, which it is not for the user's script, is `InQuotes`: it makes a bad row.
    """
    if isinstance(cell, str):
        return cell or None
    if feature is not None and takes_text(feature):
        return InQuotes(csv_row([_cell(cell, None), None])[:-2].decode())
    if isinstance(cell, bool):
        words = (feature.true_texts, feature.false_texts) if feature and feature.kind == "boolean" else None
        return words[0 if cell else 1][0] if words else cell
    if isinstance(cell, float):
        return int(cell) if cell.is_integer() and abs(cell) < _LARGEST_INTEGER else cell
    if isinstance(cell, datetime.date):
        return _date(cell, feature)
    return str(cell)


def _date(cell: datetime.date, feature: Feature | None) -> str:
    """Returns a date in the form that the feature reads; in ISO 8601 if that cannot express it, which is a bad row."""
    value = cell if isinstance(cell, datetime.datetime) else datetime.datetime(cell.year, cell.month, cell.day)  # noqa: DTZ001
    if feature is None or feature.kind != "date" or feature.date_format is None:
        return value.isoformat(" ")
    text = value.strftime(feature.date_format)
    is_same = datetime.datetime.strptime(text, feature.date_format).replace(tzinfo=None) == value  # noqa: DTZ007
    return text if is_same else value.isoformat(" ")


def _check_size(file: BinaryIO) -> None:
    """Checks the size of the file, and of what is in it, by what the archive says."""
    if (length := file.seek(0, 2)) > MAX_FILE_BYTES:
        raise TooLarge(f"The workbook ({_OTHER_FORMAT})", MAX_FILE_BYTES, "fixed")
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
            if "xl/workbook.xml" not in names:
                raise BrokenFile(
                    "The file is not an Excel workbook (.xlsx): save it as .xlsx, or send the table as CSV."
                )
            unpacked = sum(one.file_size for one in archive.infolist())
            if unpacked > MAX_UNPACKED_BYTES:
                raise TooLarge(f"The unpacked workbook ({_OTHER_FORMAT})", MAX_UNPACKED_BYTES, "fixed")
            if unpacked > _RATIO_FROM_BYTES and unpacked > _RATIO * length:
                raise BrokenFile(
                    f"The workbook grows more than {_RATIO} times when it is unpacked. It is not accepted."
                )
            for name in names:
                if name.startswith("xl/worksheets/sheet"):
                    with archive.open(name) as sheet:
                        _check_dimension(sheet.read(4096))
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise BrokenFile(f"The Excel workbook cannot be read: {error}.") from error


def _check_dimension(beginning: bytes) -> None:
    found = _DIMENSION.search(beginning)
    if found is None:
        return
    columns = 0
    for letter in found[1]:
        columns = 26 * columns + letter - ord("A") + 1
    if columns * int(found[2]) > MAX_CELLS:
        raise TooLarge(f"The number of cells of a sheet ({_OTHER_FORMAT})", MAX_CELLS, "fixed")


@contextmanager
def _limited_memory() -> Iterator[None]:
    """Ends this process if reading takes too much memory: two cells far apart make a sheet of thousands of millions."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:  # not on Linux
        yield
        return
    resource.setrlimit(resource.RLIMIT_AS, (used + _MOST_MORE_BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
