"""The rows of a Parquet file as CSV, a few at a time."""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rowcast.csv.header import column_names
from rowcast.csv.write import csv_cell, csv_row
from rowcast.errors import BrokenFile, TooLarge, WrongColumnType
from rowcast.models.model_manifest import Feature
from worker.conversion.arrow_texts import fields_of, rows_of
from worker.conversion.column_types import check_types, narrow_dtypes
from worker.conversion.features_by_name import READ_DIFFERENTLY, FeaturesByName, unlike

_CELLS = 256 * 1024
"""About as many cells are in memory at once."""

_MOST_ROWS = 8192
_READ_BYTES = 1024 * 1024
"""A column of a row group is read from the file in steps of this size, not as a whole."""

_INDEX = re.compile(r"__index_level_\d+__")
"""Columns in which pandas keeps an index without a name. It reads them back as an index, not as columns."""


class ParquetRows:
    """An open Parquet file.

    Raises:
        BrokenFile: it cannot be read. WrongColumnType: a column's type does not fit, or cannot be written as CSV.
    """

    def __init__(self, file: BinaryIO, features: FeaturesByName, max_columns: int) -> None:
        """`features` are those that the models look at, by name."""
        self._features = features
        try:
            self._file = pq.ParquetFile(file, pre_buffer=False, buffer_size=_READ_BYTES)
            schema = self._file.schema_arrow
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _broken(error) from error
        if len(schema) > max_columns:
            raise TooLarge(f"The number of columns, {len(schema)},", max_columns, "ROWCAST_MAX_COLUMNS")
        self._places = [place for place, name in enumerate(schema.names) if not _INDEX.fullmatch(name)]
        given = [schema.names[place] for place in self._places]
        self._header = csv_row(given)
        self._names = column_names([csv_cell(name) for name in given])
        self._schema = [(name, schema.field(place).type) for name, place in zip(self._names, self._places, strict=True)]

    @property
    def header(self) -> bytes:
        """The header line. It is empty if there are no columns."""
        return self._header if self._places else b""

    @property
    def dtypes(self) -> dict[str, str]:
        """`Spec.dtypes` of this file."""
        return narrow_dtypes(self._schema, self._features)

    def check(self) -> None:
        """Checks the types of all columns."""
        check_types(self._schema, self._features)

    def rows(self) -> Iterator[bytes]:
        """Yields the rows, some at a time."""
        size = max(64, min(_MOST_ROWS, _CELLS // max(1, len(self._names))))
        batches = self._file.iter_batches(batch_size=size, use_threads=False)
        while True:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise _broken(error) from error
            if batch is None:
                return
            if batch.num_rows:
                yield self._rows_of(batch)

    def _rows_of(self, batch: pa.RecordBatch) -> bytes:
        fields = []
        for name, place in zip(self._names, self._places, strict=True):
            column = batch.column(place)
            if len(self._names) == 1:
                _refuse_empty_texts(column, name)
            fields.append(_fields_of_each(column, name, self._features.get(name, ())))
        return rows_of(fields)


def _fields_of_each(column: pa.Array, name: str, features: tuple[Feature, ...]) -> pa.Array:
    """Returns the fields of a column, which must be the same for all of its features."""
    first, *others = unlike(features) or (None,)
    fields = fields_of(column, name, first)
    if any(not fields_of(column, name, other).equals(fields) for other in others):
        raise WrongColumnType.at(f"column {name!r}", READ_DIFFERENTLY)
    return fields


def _refuse_empty_texts(column: pa.Array, name: str) -> None:
    """Refuses an empty text in a file of one column, which looks like a null there."""
    if pa.types.is_string(column.type) and pc.any(pc.equal(column, "")).as_py():
        raise WrongColumnType.at(f"column {name!r}", "has an empty text: write a null or another text")


def _broken(error: Any) -> BrokenFile:
    first = str(error).split("\n", 1)[0].rstrip(".")
    return BrokenFile(f"The Parquet file cannot be read: {first}.")
