"""Subclasses of scikit-learn's transformers that transform each distinct cell of a column once.

scikit-learn's own `transform` gets the rows in which a cell appears for the first time; the rest is put together from
what it made of them. If anything is unexpected, also an exception, it gets all rows.
"""

from collections.abc import Sequence
from operator import is_
from threading import Lock
from typing import Any

import numpy as np
import sklearn
from numpy.typing import NDArray
from scipy.sparse import issparse

from rowcast.trees.distinct.assembly import OutputColumn, OutputForm, dense, sparse
from rowcast.trees.distinct.cellwise_steps import Cellwise, cellwise, steps_of
from rowcast.trees.distinct.column_cells import FEW_ROWS, TableCells, table_cells
from rowcast.trees.distinct.known_cells import KnownColumn
from rowcast.trees.evaluation.ensemble import Declined
from rowcast.trees.fast_copies import FastCopy, addition_of, fast_copy_of, plain

KEPT_BYTES = 16 << 20
"""Memory of the known cells of one transformer above which they are dropped after a call, so that it is bounded."""


class FastTransformer(FastCopy):
    """An encoder, or a pipeline of steps that act cell by cell."""

    def transform(self, X: Any, **params: Any) -> Any:  # noqa: N803
        """Returns what scikit-learn's `transform` returns."""
        found = None if params else by_distinct_cells(self, X)
        return super().transform(X, **params) if found is None else found


def fast_transformer(transformer: Any) -> Any:
    """Returns a fast copy. Everything that was fitted is shared.

    Raises:
        Declined: a parameter has a value with which it cannot be taken.
    """
    known = KnownOutput()
    known.prepare(transformer)
    return fast_copy_of(transformer, FastTransformer, known)


def by_distinct_cells(transformer: Any, table: Any) -> Any:
    """Returns the output of a fast transformer; None if scikit-learn has to transform the whole table."""
    known: KnownOutput | None = addition_of(transformer)
    cells = None if known is None or not len(table) else table_cells(table)
    if known is None or cells is None:
        return None
    return known.output(transformer, table, cells)


class KnownOutput:
    """What a transformer made of the cells that it has seen."""

    def __init__(self) -> None:
        self._lock = Lock()  # for threads that predict at the same time
        self._state: list[Any] = []
        self._steps: Cellwise | None = None
        self._forget(())

    def prepare(self, transformer: Any) -> Cellwise:
        """Drops the known cells if the transformer was fitted again, or its parameters changed.

        Raises:
            Declined: it cannot be taken with these parameters.
        """
        state = _state(transformer)
        if self._steps is None or len(state) != len(self._state) or not all(map(is_, state, self._state)):
            self._steps = None
            steps = cellwise(transformer)
            self._state, self._steps = state, steps
            self._forget(())
        return self._steps

    def output(self, transformer: Any, table: Any, cells: TableCells) -> Any:
        """Returns the output; None if scikit-learn has to transform the whole table."""
        with self._lock:
            try:
                steps = self.prepare(transformer)
            except (Declined, AttributeError, TypeError, ValueError):
                return None
            columns = self._columns(transformer, table, cells, steps)
            form = self._form
            if steps.warns or self._used_bytes > KEPT_BYTES:
                self._forget(())
        if columns is None or form is None:
            return None
        return (sparse if form.index_dtype is not None else dense)(columns, len(table), form)

    def _forget(self, signature: tuple[Any, ...]) -> None:
        """Drops what is known, and starts again for tables with another signature."""
        self._signature = signature
        self._form: OutputForm | None = None
        self._known: list[KnownColumn] = []
        self._used_bytes = 0

    def _columns(
        self, transformer: Any, table: Any, cells: TableCells, steps: Cellwise
    ) -> Sequence[OutputColumn] | None:
        """Returns the columns of the output, after scikit-learn has transformed the cells that are not known yet."""
        if len(cells.columns) != len(steps.widths):
            return None
        config = sklearn.get_config()
        if config["transform_output"] != "default":
            return None
        signature = (*cells.signature, config.get("sparse_interface"))
        if signature != self._signature:
            self._forget(signature)
            self._known = [KnownColumn(width, one_hot=steps.one_hot) for width in steps.widths]
        most = len(table) // 2 if len(table) >= FEW_ROWS else len(table)
        if max(len(column.keys) for column in cells.columns) > most:
            return None
        places = [known.places(column.keys) for known, column in zip(self._known, cells.columns, strict=True)]
        if any((found < 0).any() for found in places) and not self._add(transformer, table, cells, places, most):
            return None
        return [
            OutputColumn.of(known, found, column.codes)
            for known, found, column in zip(self._known, places, cells.columns, strict=True)
        ]

    def _add(self, transformer: Any, table: Any, cells: TableCells, places: list[NDArray[np.int64]], most: int) -> bool:
        """Lets scikit-learn transform rows that have the unknown cells. Returns whether they are known now."""
        unknown = [np.flatnonzero(found < 0) for found in places]
        first_rows = [column.first_rows(new) for column, new in zip(cells.columns, unknown, strict=True)]
        rows = np.unique(np.concatenate(first_rows))
        if len(rows) > most:
            return False
        some = table if len(rows) == len(table) else table.iloc[rows] if hasattr(table, "iloc") else table[rows]
        try:
            output = plain(transformer).transform(some)
        except Exception:  # scikit-learn's own error is raised for the whole table
            return False
        form = _form(output)
        if (
            form is None
            or self._form not in (None, form)
            or output.shape != (len(rows), sum(k.width for k in self._known))
        ):
            return False
        self._form = form
        first = 0
        for place, known in enumerate(self._known):
            new = unknown[place]
            keys = [cells.columns[place].keys[index] for index in new.tolist()]
            if len(new) and not known.add(keys, output, np.searchsorted(rows, first_rows[place]), first):
                self._forget(())
                return False
            places[place] = known.places(cells.columns[place].keys) if len(new) else places[place]
            first += known.width
        self._used_bytes = sum(known.used_bytes for known in self._known)
        return True


def _form(output: Any) -> OutputForm | None:
    """Returns the form of scikit-learn's output; None if it is one that is not made here."""
    if type(output) is np.ndarray and output.ndim == 2 and output.flags.c_contiguous and output.dtype.kind in "fiu":
        return OutputForm(np.ndarray, output.dtype, None)
    if issparse(output) and output.format == "csr" and output.indices.dtype == output.indptr.dtype:
        return OutputForm(type(output), output.dtype, output.indices.dtype)
    return None


def _state(transformer: Any) -> list[Any]:
    """Returns the attributes of the transformer and its steps, which are others after it was fitted again."""
    state = [*vars(plain(transformer)).values()]
    for _, step in steps_of(transformer):
        if step is not transformer:
            state += vars(step).values()
    return state
