"""The table of a chunk: its bytes as what an estimator takes, and the rows that are bad."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.csv import scan
from rowcast.jobs.job import Format
from rowcast.jobs.options import Options
from rowcast.models.model_manifest import Feature
from rowcast.models.row_values import cell_text
from rowcast.scoring.cell_format import Reading
from rowcast.scoring.cell_types import Column, convert
from rowcast.scoring.converted_cells import FILE_FORMS, empty_texts, in_file_form, retyped_cells, stated_problems
from rowcast.scoring.feature_columns import InvalidCells, read_columns
from rowcast.scoring.typed.column_type import column_dtype, is_whole_dtype

if TYPE_CHECKING:
    from rowcast.models.loading.load import Container, LoadedModel

Table = pd.DataFrame | pd.Series | NDArray[Any]
"""What `predict` gets: shape (rows, features), or (rows,) of a model that takes one Series. See `make_table`."""

Observe = Callable[[Sequence[Column]], None]
"""Is called with the columns of the rows that could be read, one for each feature of the table. It changes nothing."""


@dataclass(frozen=True)
class RowFault:
    """Why a row cannot be predicted."""

    row: int
    """Counts from 0."""
    column: str
    """Empty if the whole row is wrong; `value` is then empty, too."""
    value: str
    """The cell."""
    message: str
    """What is wrong with the cell, and what would be right."""


@dataclass(frozen=True)
class Rows:
    """The rows of a chunk, good and bad."""

    fields: scan.Fields
    """Where every row and field lies in the chunk's bytes."""
    good: scan.Positions
    """Indexes of the rows in `table`."""
    table: Table
    faults: list[RowFault]
    """One for each other row."""


def read(
    data: bytes,
    columns: Sequence[str],
    model: "LoadedModel",
    options: Options,
    *,
    format: Format = "csv",
    dtypes: Mapping[str, str] = MappingProxyType({}),
    observe: Observe | None = None,
) -> Rows:
    """Reads whole rows with these columns, as `read_each` does."""
    (rows,) = read_each(data, columns, [model], options, format=format, dtypes=dtypes, observe=observe)
    return rows


def read_each(
    data: bytes,
    columns: Sequence[str],
    models: Sequence["LoadedModel"],
    options: Options,
    *,
    format: Format = "csv",
    dtypes: Mapping[str, str] = MappingProxyType({}),
    observe: Observe | None = None,
) -> Iterator[Rows]:
    """Yields for each model the rows as it reads them. The rows and fields are found once for all.

    The last row may lack its line end. `format` is that of the file that the rows come from, and `dtypes` those of
    `Spec.dtypes`. Each model reads its own cells as its manifest and these types say. Only if that is the same for both
    models, the cells are read once for both. `observe` gets the columns of the first model, before its table is made: a
    model may change the table.
    """
    expected = len(columns)
    inside = scan.quoted(data, options.delimiter)
    fields = scan.split(data, inside, options.delimiter, expected)
    but = f"the header has {expected}" if options.header else f"not {expected}"
    malformed = _malformed_rows(data, inside, fields, expected, but)
    place_of = {name: place for place, name in enumerate(columns)}
    known: tuple[list[Feature], Reading] | None = None
    for model in models:
        features = _typed(model.manifest.table_features, dtypes)
        faults = dict(malformed)
        reading = Reading.of(model.manifest, options.delimiter, options.decimal, options.na_values)
        if format == "parquet":  # texts mean themselves there: only a null is missing
            reading = Reading(options.delimiter)
            faults |= _faults(empty_texts(data, fields.lines, columns, features))
        elif format == "xlsx":
            faults |= _faults(retyped_cells(data, fields.lines, columns, features))
        elif format == "jsonl":
            faults |= _faults(stated_problems(data, fields))
        if known != (features, reading):
            good = np.setdiff1d(np.arange(len(fields.lines)), np.array(list(faults), np.int64), assume_unique=True)
            places = [place_of[feature.name] for feature in features]
            values, invalid = read_columns(data, fields, good, features, places=places, reading=reading)
            values = _as_in_parquet(values, features) if format == "parquet" else values
            large = _too_large(values, features)
            for row, (name, _, message) in large.items():
                begins, ends = fields.spans_of(good[[row]], place_of[name])
                large[row] = name, scan.text(data[int(begins[0]) : int(ends[0])]), message
            invalid = large | invalid
            known = features, reading
        else:  # a model may change its table in place
            values = [column.copy() for column in values]
        rows = _rows(fields, faults, good, (values, invalid), (features, model.container, observe))
        observe = None
        yield rows


def _faults(invalid: InvalidCells) -> dict[int, RowFault]:
    return {row: RowFault(row, *cell) for row, cell in invalid.items()}


def _typed(features: list[Feature], dtypes: Mapping[str, str]) -> list[Feature]:
    """Returns the features with the types that the columns of a converted file have."""
    found = list(features)
    for place, feature in enumerate(features):
        dtype = dtypes.get(feature.name, "")
        if dtype in FILE_FORMS:
            found[place] = in_file_form(feature)
        elif feature.kind == "date" and dtype:
            unit = dtype.rstrip("]")
            update = {"dtype": re.sub(r"^datetime64\[\w+", unit, column_dtype(feature))}
            found[place] = feature.model_copy(update=update)
        elif dtype and feature.kind == "integer":
            found[place] = feature.model_copy(update={"dtype": dtype.lower()})
        elif dtype.startswith("float") and feature.kind == "number":
            found[place] = feature.model_copy(update={"dtype": dtype})
        elif is_whole_dtype(dtype) and feature.kind == "number":  # with nulls it is `Int32`, and floats for the script
            found[place] = feature.model_copy(update={"dtype": dtype, "missing": False})
    return found


def _too_large(columns: Sequence[Column], features: Sequence[Feature]) -> InvalidCells:
    """Returns the first number of each row that is over the limit of its feature. Whole numbers need no limit."""
    found: InvalidCells = {}
    for feature, column in zip(features, columns, strict=True):
        if feature.largest is not None and column.dtype.kind == "f":
            for row in np.flatnonzero(np.abs(column) > feature.largest).tolist():
                message = (
                    f"over {feature.largest}: the model computes with the whole numbers of 64 bits that pandas reads, "
                    "and floats differ there; register it with a sample that has such numbers"
                )
                found.setdefault(row, (feature.name, str(column[row]), message))
    return found


def _as_in_parquet(columns: Sequence[Column], features: Sequence[Feature]) -> list[Column]:
    """Returns the columns with None for a missing boolean, as pandas reads a null from a Parquet file."""
    found = list(columns)
    for place, feature in enumerate(features):
        if feature.kind == "boolean" and column_dtype(feature) == "object":
            found[place] = columns[place].copy()
            found[place][pd.isna(found[place])] = None
    return found


def _rows(
    fields: scan.Fields,
    malformed: Mapping[int, RowFault],
    good: scan.Positions,
    found: tuple[list[Column], InvalidCells],
    shape: "tuple[Sequence[Feature], Container, Observe | None]",
) -> Rows:
    """Returns the rows of one model. `found` is what `read_columns` found in the rows `good`.

    `shape` has the features of the table, its container, and what observes its columns.
    """
    features, container, observe = shape
    faults = dict(malformed)
    values, invalid = found
    if invalid:
        faults |= _faults({int(good[index]): cell for index, cell in invalid.items()})
        fit = np.setdiff1d(np.arange(len(good)), np.array(list(invalid), np.int64), assume_unique=True)
        values, good = [column.take(fit) for column in values], good[fit]
    if observe is not None:
        observe(values)
    table = make_table(values, features, container)
    return Rows(fields, good, table, [faults[row] for row in sorted(faults)])


def make_table(columns: Sequence[Column], features: Sequence[Feature], container: "Container") -> Table:
    """Builds the table from one column per feature, each of the type that `column_dtype` gives.

    `container`: `frame` for a DataFrame; `array` for an array, float64 if all features are numbers, otherwise objects;
    `row_array` for one of numbers that lie row by row in memory; `series` for the one feature's Series.
    """
    names = [feature.name for feature in features]
    if container == "series":
        return pd.Series(columns[0], name=names[0], dtype=column_dtype(features[0]))
    if columns and all(column_dtype(feature) == "float64" for feature in features):
        # One column after the other in memory, as in pandas' frames: sums are then the same to the last bit.
        arrays = [np.asarray(column) for column in columns]
        numbers = np.stack(arrays, axis=1) if container == "row_array" else np.stack(arrays).T
        return pd.DataFrame(numbers, columns=names, copy=False) if container == "frame" else numbers
    typed = {
        feature.name: pd.Series(values, dtype=column_dtype(feature), copy=False)
        for feature, values in zip(features, columns, strict=True)
    }
    frame = pd.DataFrame(typed)
    return frame if container == "frame" else frame.to_numpy()


def table_of_values(rows: Sequence[Sequence[object]], model: "LoadedModel") -> tuple[Table, dict[int, str]]:
    """Makes the table of rows of JSON values in the order of the manifest's features (checked by `row_values.py`).

    Returns:
        The table of the rows that are good, and for each other row its index and what is wrong with it.
    """
    manifest = model.manifest
    reading = Reading.of(manifest, ",")
    columns: list[Column] = []
    faults: dict[int, str] = {}
    for place, feature in enumerate(manifest.features):
        if feature.required:
            column, invalid = _column_of_values(feature, [row[place] for row in rows], reading)
            columns.append(column)
            for row, message in invalid.items():
                faults.setdefault(row, f"{feature.name}: {message}")
    for row, (name, _, message) in _too_large(columns, manifest.table_features).items():
        faults.setdefault(row, f"{name}: {message}")
    if faults:
        fit = np.array([row for row in range(len(rows)) if row not in faults], np.int64)
        columns = [column.take(fit) for column in columns]
    return make_table(columns, manifest.table_features, model.container), faults


def _column_of_values(feature: Feature, values: Sequence[Any], reading: Reading) -> tuple[Column, dict[int, str]]:
    if feature.kind == "number" and reading.na_numbers.isdisjoint(values):
        return np.array([np.nan if value is None else value for value in values], "float64"), {}
    return convert(feature, [cell_text(value, feature) for value in values], reading)


def _malformed_rows(
    data: bytes, inside: scan.Quoted, fields: scan.Fields, expected: int, but: str
) -> dict[int, RowFault]:
    """Returns the rows with a wrong form, by index; `but` says how many fields there should be."""
    faults = {}
    for row in np.flatnonzero(fields.counts != expected).tolist():
        count = int(fields.counts[row])
        noun = "field" if count == 1 else "fields"
        faults[row] = RowFault(row, "", "", f"has {count} {noun}, {but}")
    returns = scan.lone_returns(data, inside)
    for row in np.searchsorted(fields.lines.starts, returns, "right").tolist():
        faults[row - 1] = RowFault(row - 1, "", "", "has a carriage return outside quotes; rows end in LF or CRLF")
    return faults
