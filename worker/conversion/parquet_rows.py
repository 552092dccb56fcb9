"""The rows of a Parquet file as CSV, a few at a time."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from rowcast.csv.header import column_names
from rowcast.csv.write import csv_cell, csv_row
from rowcast.errors import BrokenFile, TooLarge, WrongColumnType
from rowcast.models.model_manifest import Feature
from rowcast.scoring.converted_cells import in_file_form
from worker.conversion.arrow_texts import fields_of, rows_of
from worker.conversion.column_types import check_types, file_forms, script_dtypes
from worker.conversion.features_by_name import FeaturesByName, unlike

_CELLS = 256 * 1024
"""About as many cells are in memory at once."""

_FEWEST_ROWS, _MOST_ROWS = 64, 8192
_READ_BYTES = 1024 * 1024
"""A column of a row group is read from the file in steps of this size, not as a whole."""

_INDEX = re.compile(r"__index_level_\d+__")
"""Columns in which pandas keeps an index without a name. It reads them back as an index, not as columns."""


class ParquetRows:
    """An open Parquet file.

    Raises:
        BrokenFile: it cannot be read. WrongColumnType: a column's type does not fit.
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
        self._given = dict(zip(self._names, given, strict=True))
        self._schema = [(name, schema.field(place).type) for name, place in zip(self._names, self._places, strict=True)]

    @property
    def header(self) -> bytes:
        """The header line. It is empty if there are no columns."""
        return self._header if self._places else b""

    @property
    def dtypes(self) -> dict[str, str]:
        """`Spec.dtypes` of this file."""
        return script_dtypes(self._schema, self._features, self._has_nulls) | file_forms(self._schema, self._features)

    def _has_nulls(self, name: str) -> bool:
        """Returns whether a column has a null: by the file's statistics, or by its values if there are none."""
        given = self._given[name]
        stated = self._stated_nulls.get(given)
        if stated is not None:
            return stated
        try:
            batches = self._file.iter_batches(_MOST_ROWS, columns=[given], use_threads=False)
            return any(batch.column(0).null_count for batch in batches)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise _broken(error) from error

    @cached_property
    def _stated_nulls(self) -> dict[str, bool | None]:
        """Whether each column has a null, by its path; None if the statistics of a row group do not say it."""
        found: dict[str, bool | None] = {}
        metadata = self._file.metadata
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            for column in map(group.column, range(group.num_columns)):
                path, statistics = column.path_in_schema, column.statistics
                known = found.setdefault(path, False)
                if statistics is None or not statistics.has_null_count:
                    found[path] = None
                elif known is not None:
                    found[path] = known or statistics.null_count > 0
        return found

    @property
    def row_count(self) -> int:
        """Number of rows."""
        return int(self._file.metadata.num_rows)

    def check(self) -> None:
        """Checks the types of all columns."""
        check_types(self._schema, self._features)

    def rows(self, most: int | None = None) -> Iterator[bytes]:
        """Yields the rows, or `most` of them, some at a time."""
        size = max(_FEWEST_ROWS, min(_MOST_ROWS, _CELLS // max(1, self._values_per_row())))
        left = self.row_count if most is None else most
        batches = self._file.iter_batches(batch_size=min(size, max(1, left)), use_threads=False)
        while left > 0:
            try:
                batch = next(batches, None)
            except (pa.ArrowException, OSError, ValueError) as error:
                raise _broken(error) from error
            if batch is None:
                return
            if batch.num_rows:
                yield self._rows_of(batch.slice(0, left))
                left -= batch.num_rows

    def _values_per_row(self) -> int:
        """Returns how many values a row has on average, in the row group with the largest ones. Lists have many."""
        fewest = len(self._names)
        if not any(pa.types.is_nested(type) for _, type in self._schema):
            return fewest
        metadata, most = self._file.metadata, 0
        for group in map(metadata.row_group, range(metadata.num_row_groups)):
            values = sum(group.column(place).num_values for place in range(group.num_columns))
            most = max(most, values // max(1, group.num_rows))
        return max(fewest, most)

    def _rows_of(self, batch: pa.RecordBatch) -> bytes:
        fields = []
        for name, place in zip(self._names, self._places, strict=True):
            column = batch.column(place)
            if len(self._names) == 1:
                _refuse_empty_texts(column, name)
            fields.append(fields_of(column, name, self._read_as(name)))
        return rows_of(fields)

    def _read_as(self, name: str) -> Feature | None:
        """Returns the feature for which a column is written."""
        features = unlike(self._features.get(name, ()))
        if not features:
            return None
        return in_file_form(features[0]) if len(features) > 1 else features[0]


def _refuse_empty_texts(column: pa.Array, name: str) -> None:
    """Refuses an empty text in a file of one column, which looks like a null there."""
    if pa.types.is_string(column.type) and pc.any(pc.equal(column, "")).as_py():
        raise WrongColumnType.at(f"column {name!r}", "has an empty text: write a null or another text")


def _broken(error: Any) -> BrokenFile:
    first = str(error).split("\n", 1)[0].rstrip(".")
    return BrokenFile(f"The Parquet file cannot be read: {first}.")
