"""A result as Parquet, made of the CSV of its parts: one row group for each part, in constant memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from rowcast.csv.rows import rows, whole_rows
from rowcast.jobs.job import Spec
from rowcast.jobs.results.result_columns import added_names
from rowcast.models.model_set import ModelSet
from rowcast.scoring.parquet.parquet_types import ColumnForm, UnfitCellError, forms

Parts = Callable[[], Iterable[bytes]]
"""Returns the parts of the result in order, without the header line. It is called twice."""

_CELLS = 20_000
"""Cells that are read at a time. Between two times, `between` is called."""


class ParquetResult:
    """Writes one result. `between` is called often, so that other work can be done meanwhile."""

    def __init__(self, spec: Spec, models: ModelSet, between: Callable[[], None] = lambda: None) -> None:
        self._delimiter, self._between = spec.options.delimiter, between
        self._kept = spec.kept_columns
        self._added = added_names(spec.options, models)
        self._forms = forms(self._kept, spec.options, models)

    def write(self, file: BinaryIO, parts: Parts) -> None:
        """Writes the file. The parts are read twice: first to choose the type of each column, then to write them."""
        chosen = self._chosen(parts())
        names = [*self._kept, *self._added]
        schema = pa.schema(list(zip(names, (form.type for form in chosen), strict=True)))
        with pq.ParquetWriter(file, schema) as writer:
            for part in parts():
                batches = [self._batch(columns, chosen, schema) for columns in self._columns(part)]
                if batches:
                    table = pa.Table.from_batches(batches, schema)
                    writer.write_table(table, row_group_size=max(1, table.num_rows))

    def _chosen(self, parts: Iterable[bytes]) -> list[ColumnForm]:
        """Returns the first form of each column that holds all its cells."""
        left = [list(some) for some in self._forms]
        seen: list[set[str]] = [set() for _ in left]
        for part in parts if any(len(some) > 1 for some in left) else ():
            for columns in self._columns(part):
                for place, some in enumerate(left):
                    if len(some) > 1:
                        new = set(columns[place]) - seen[place]
                        while len(some) > 1 and not all(_holds(some[0], cell) for cell in new):
                            some.pop(0)
                            new |= seen[place]
                        if len(seen[place]) < _CELLS:  # cells that repeat are checked once
                            seen[place] |= new
        return [some[0] for some in left]

    def _columns(self, part: bytes) -> Iterator[Sequence[Sequence[str]]]:
        """Yields the cells of some rows at a time, column by column."""
        width = len(self._kept) + len(self._added)
        at_a_time = max(1, _CELLS // width)
        for piece in whole_rows([part], self._delimiter):
            found = rows(piece, self._delimiter)
            while block := list(islice(found, at_a_time)):
                yield list(zip(*(row if len(row) == width else self._fitted(row) for row in block), strict=True))
                self._between()

    def _fitted(self, row: list[str]) -> list[str]:
        """Returns the cells of a bad row with too many or too few, as in NDJSON: the first ones of the input."""
        kept = row[: max(0, len(row) - len(self._added))][: len(self._kept)]
        return [*kept, *[""] * (len(self._kept) - len(kept)), *row[-len(self._added) :]]

    @staticmethod
    def _batch(columns: Sequence[Sequence[str]], chosen: Sequence[ColumnForm], schema: pa.Schema) -> pa.RecordBatch:
        arrays = [pa.array(_values(form, cells), type=form.type) for form, cells in zip(chosen, columns, strict=True)]
        return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _holds(form: ColumnForm, cell: str) -> bool:
    try:
        form.read(cell)
    except UnfitCellError:
        return False
    return True


def _values(form: ColumnForm, cells: Sequence[str]) -> list[object]:
    known = {cell: form.read(cell) for cell in set(cells)}
    return [known[cell] for cell in cells]
