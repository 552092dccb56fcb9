"""The output of a transformer, put together from what is known of each distinct cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.trees.distinct.known_cells import KnownColumn


@dataclass(frozen=True)
class OutputForm:
    """The form of a transformer's output."""

    #: `numpy.ndarray`, in C order, or a class of scipy's CSR matrices.
    kind: type
    #: Type of the cells.
    dtype: np.dtype[Any]
    #: Type of a CSR matrix's indices; None if the output is dense.
    index_dtype: np.dtype[Any] | None


@dataclass(frozen=True)
class OutputColumn:
    """The output columns of one input column."""

    #: Number of the output columns.
    width: int
    #: `KnownColumn.cells` at this time.
    cells: NDArray[Any]
    #: `KnownColumn.hot` at this time.
    hot: NDArray[np.int64] | None
    #: Place of the block of each distinct cell.
    places: NDArray[np.int64]
    #: Place of the distinct cell of each row; None if each row has its own.
    codes: NDArray[np.integer[Any]] | None

    @classmethod
    def of(
        cls, known: KnownColumn, places: NDArray[np.int64], codes: NDArray[np.integer[Any]] | None
    ) -> "OutputColumn":
        """Returns the column as it is known now. Keys that are added later do not change it."""
        return cls(known.width, known.cells, known.hot, places, codes)

    def of_rows(self, of_blocks: NDArray[Any]) -> NDArray[Any]:
        """Returns for each row what `of_blocks` has for its block."""
        distinct = of_blocks[self.places]
        return distinct if self.codes is None else distinct.take(self.codes, axis=0)


def fill(output: NDArray[Any], columns: Sequence[OutputColumn]) -> None:
    """Writes the columns into a matrix of shape (rows, output columns), which has to be zero if they are one-hot."""
    first = 0
    for column in columns:
        if column.hot is None:
            output[:, first : first + column.width] = column.of_rows(column.cells)
        else:
            hot = column.of_rows(column.hot)
            rows = np.flatnonzero(hot >= 0)
            output[rows, first + hot[rows]] = column.of_rows(column.cells)[rows]
        first += column.width


def dense(columns: Sequence[OutputColumn], rows: int, form: OutputForm) -> NDArray[Any]:
    """Returns a dense output in C order."""
    is_sparse = any(column.hot is not None for column in columns)
    shape = (rows, sum(column.width for column in columns))
    output = np.zeros(shape, form.dtype) if is_sparse else np.empty(shape, form.dtype)
    fill(output, columns)
    return output


def sparse(columns: Sequence[OutputColumn], rows: int, form: OutputForm) -> Any:
    """Returns a sparse output, as OneHotEncoder makes it: the cells of a row in the order of the columns."""
    hot = np.empty((rows, len(columns)), form.index_dtype)
    cells = np.empty((rows, len(columns)), form.dtype)
    first = 0
    for place, column in enumerate(columns):
        in_blocks = np.asarray(column.hot)  # columns of a sparse output are one-hot
        hot[:, place] = column.of_rows(np.where(in_blocks < 0, -1, in_blocks + first).astype(form.index_dtype))
        cells[:, place] = column.of_rows(column.cells)
        first += column.width
    full = hot >= 0
    starts = np.zeros(rows + 1, form.index_dtype)
    np.cumsum(full.sum(axis=1), out=starts[1:])
    if full.all():
        return form.kind((cells.ravel(), hot.ravel(), starts), shape=(rows, first))
    return form.kind((cells[full], hot[full], starts), shape=(rows, first))
