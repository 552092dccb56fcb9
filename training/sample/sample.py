"""The sample: a CSV like those that will be sent, as raw cells and as the user's script reads it with pandas."""

import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from rowcast.csv.delimiter import DELIMITERS
from rowcast.csv.write import csv_cell
from rowcast.errors import Unprocessable, Unreadable
from rowcast.models import cells as cell_rules
from rowcast.models.model_manifest import Kind
from training.input_file import no_column, read_text


@dataclass(frozen=True)
class Dialect:
    """The arguments of `pandas.read_csv` in the user's script, other than the file."""

    delimiter: str = ","
    decimal: str = "."
    na_values: tuple[str, ...] = ()
    """Cells that mean missing, in addition to pandas' own."""
    keep_default_na: bool = True
    dayfirst: bool = False
    """Whether dates that can be read both ways have the day before the month."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    """The columns with a named type (`dtype`, `parse_dates`); pandas finds the types of the others."""
    categories: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """The values of categories, by column; for a category that is not here, pandas takes those in the file."""

    def with_kinds(self, kinds: Mapping[str, Kind]) -> "Dialect":
        """Returns the same dialect with further named columns."""
        return replace(self, kinds={**self.kinds, **kinds})

    def na_texts(self) -> list[str]:
        """Returns every cell that means missing."""
        return list(cell_rules.na_texts(self.na_values, keep_default=self.keep_default_na))

    def read(self, data: bytes, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Calls `pandas.read_csv` as the user's script does. Returns the columns that the script selects."""
        dates = [name for name, kind in self.kinds.items() if kind == "date"]
        if dates:  # pandas refuses dates in columns that are not in `data`, which has some of the sample's columns
            present = pd.read_csv(io.BytesIO(data), sep=self.delimiter, nrows=0).columns
            dates = [name for name in dates if name in present]
        dtypes: dict[str, Any] = {"number": "float64", "text": "str", "boolean": "str", "category": "category"}
        named = {name: dtypes[kind] for name, kind in self.kinds.items() if kind in dtypes}
        named |= {name: pd.CategoricalDtype(list(values)) for name, values in self.categories.items()}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # dates of several formats; they are refused later
            frame = pd.read_csv(
                io.BytesIO(data),
                sep=self.delimiter,
                decimal=self.decimal,
                na_values=list(self.na_values),
                keep_default_na=self.keep_default_na,
                dtype=named,
                parse_dates=dates or False,
                dayfirst=self.dayfirst,
            )
        for name, kind in self.kinds.items():
            if kind == "boolean" and name in frame:
                frame[name] = _as_booleans(frame[name])
        return frame if columns is None else frame[list(columns)]


@dataclass(frozen=True)
class Sample:
    """The cells of the file, as text, with pandas' names for its columns."""

    name: str
    cells: pd.DataFrame
    dialect: Dialect

    def csv(self, rows: Sequence[int] | None = None, columns: Sequence[str] | None = None) -> bytes:
        """Returns some rows and columns as a separate CSV, header line first."""
        chosen = self.cells if columns is None else self.cells[list(columns)]
        return written(chosen if rows is None else chosen.iloc[list(rows)], self.dialect)

    def require(self, wanted: str, where: str) -> str:
        """Returns the name, if it is that of a column.

        Raises:
            Unprocessable: there is no such column; it names the nearest one.
        """
        if wanted in self.cells:
            return wanted
        raise no_column(self.name, wanted, map(str, self.cells.columns), where)


def written(cells: pd.DataFrame, dialect: Dialect) -> bytes:
    """Returns a frame of cells as CSV."""
    delimiter = dialect.delimiter
    columns = [[csv_cell(str(cell), delimiter) for cell in cells.iloc[:, place]] for place in range(cells.shape[1])]
    if len(columns) == 1:
        columns = [[cell or b'""' for cell in columns[0]]]  # a blank line would not be a row
    names = [csv_cell(str(name), delimiter) for name in cells.columns]
    lines = [names, *zip(*columns, strict=True)]
    return b"".join(delimiter.encode().join(line) + b"\n" for line in lines)


def read_sample(path: Path, dialect: Dialect, wanted: Sequence[str]) -> Sample:
    """Reads the file, gzipped or not. The delimiter is the one under which its header has most of the `wanted` names.

    Raises:
        NotFound, NotUtf8: see `read_text`.
        Unreadable: it cannot be read as CSV.
        Unprocessable: it has no rows.
    """
    text = read_text(path)
    dialect = replace(dialect, delimiter=_delimiter(text.lstrip().split("\n", 1)[0], wanted))
    try:
        cells = pd.read_csv(io.StringIO(text), sep=dialect.delimiter, dtype="str", na_filter=False, index_col=False)
    except ValueError as error:  # ParserError and EmptyDataError are ValueErrors
        raise Unreadable(f"{path.name} cannot be read as CSV: {error}") from error
    if cells.empty:
        raise Unprocessable.at("file", f"{path.name} has a header line but no rows")
    return Sample(path.name, cells, dialect)


def _delimiter(header: str, wanted: Sequence[str]) -> str:
    def found(delimiter: str) -> tuple[int, int]:
        names = [name.strip().strip('"') for name in header.split(delimiter)]
        return len(set(names) & set(wanted)), len(names)

    return max(DELIMITERS, key=found)


def _as_booleans(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Returns a column of text as pandas' booleans: `bool`, or objects with NaN if any is missing."""
    pair = cell_rules.boolean_pair(column.dropna().astype("str").unique())
    if pair is None:
        raise ValueError(f"the column {column.name!r} has cells that are neither true nor false")
    values = np.array([np.nan if pd.isna(cell) else cell.strip().lower() == pair[0] for cell in column], "object")
    return pd.Series(values, index=column.index, dtype="object" if column.isna().any() else "bool")
