"""The distinct cells of a table's columns, as keys that are equal only if the cells are the same for a transformer."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FEW_ROWS = 64
"""With fewer rows, every cell counts as distinct: finding the distinct ones takes longer."""

_TYPES_OF_TEXT = ({str}, {str, type(None)}, {str, float}, {type(None)}, {float})
"""The types that the cells of an object column may have: text, and one way of writing a missing one."""


@dataclass(frozen=True)
class ColumnCells:
    """The cells of a column."""

    #: A key for each distinct cell: a text, the bits of a number, or the type of what stands for a missing text.
    keys: Sequence[Any]
    #: For each row the place of its key, shape (rows,); None if each row has its own.
    codes: NDArray[np.integer[Any]] | None

    def first_rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Returns for each of these places in `keys` a row that has this cell."""
        if self.codes is None:
            return places
        rows = np.empty(len(self.keys), np.int64)
        rows[self.codes] = np.arange(len(self.codes))
        return rows[places]


@dataclass(frozen=True)
class TableCells:
    """The cells of a table."""

    #: What decides, besides the cells, what a transformer makes of them: the kind of table, its names and types.
    signature: tuple[Any, ...]
    #: The columns, in order.
    columns: Sequence[ColumnCells]


def table_cells(table: Any) -> TableCells | None:
    """Returns the distinct cells of a DataFrame or an array; None if it is another table, or has other cells.

    They may be texts with one way of writing a missing one, categories that are texts, and numbers.
    """
    if type(table) is pd.DataFrame:
        arrays = [_array(table.iloc[:, place]) for place in range(table.shape[1])]
        names: Any = tuple(table.columns)
    elif type(table) is np.ndarray and table.ndim == 2 and table.dtype.kind in "fiubO":
        arrays = [table[:, place] for place in range(table.shape[1])]
        names = None
    else:
        return None
    columns = []
    for array in arrays:
        cells = _cells(array)
        if cells is None:
            return None
        columns.append(cells)
    return TableCells((type(table), names, *(array.dtype for array in arrays)), columns)


def _array(column: Any) -> Any:
    return column.to_numpy() if isinstance(column.dtype, np.dtype) else column.array


def _cells(array: Any) -> ColumnCells | None:
    """Returns the distinct cells of a column; None if it is not certain which are equal."""
    kind = array.dtype
    if isinstance(kind, np.dtype):
        return _object_cells(array) if kind.kind == "O" else _number_cells(array)
    if isinstance(kind, pd.StringDtype):
        return _text_cells(array)
    if isinstance(kind, pd.CategoricalDtype) and set(map(type, kind.categories)) <= {str}:
        names = [*kind.categories, float]  # the code of a missing cell is -1, which is the last one
        codes = _number_cells(array.codes)
        return None if codes is None else ColumnCells([names[code] for code in codes.keys], codes.codes)
    return None


def _text_cells(array: Any) -> ColumnCells:
    if len(array) < FEW_ROWS:
        return ColumnCells([_key(cell) for cell in array.tolist()], None)
    codes, distinct = array.factorize()
    return _with_missing(codes, distinct.tolist(), type(array.dtype.na_value))


def _object_cells(values: NDArray[Any]) -> ColumnCells | None:
    cells = values.tolist()
    types = set(map(type, cells))
    if types not in _TYPES_OF_TEXT or not all(map(math.isnan, (cell for cell in cells if type(cell) is float))):
        return None
    if len(cells) < FEW_ROWS:
        return ColumnCells([_key(cell) for cell in cells], None)
    codes, distinct = pd.factorize(values)
    return _with_missing(codes, distinct.tolist(), next(iter(types - {str}), None))


def _key(cell: Any) -> Any:
    return cell if type(cell) is str else type(cell)


def _with_missing(codes: NDArray[np.integer[Any]], keys: list[Any], missing: Any) -> ColumnCells:
    """Returns the cells with a key for the missing ones, of which pandas' code is -1."""
    absent = codes < 0
    if not absent.any():
        return ColumnCells(keys, codes)
    return ColumnCells([*keys, missing], np.where(absent, len(keys), codes))


def _number_cells(values: NDArray[Any]) -> ColumnCells | None:
    """Returns the cells with their bits as keys, so that 0.0 and -0.0 are two, and so are two kinds of NaN."""
    if values.dtype.kind not in "fiub" or values.dtype.itemsize > 8 or not values.dtype.isnative:
        return None
    bits = np.ascontiguousarray(values).view(f"i{values.dtype.itemsize}")
    if len(bits) < FEW_ROWS:
        return ColumnCells(bits.tolist(), None)
    codes, distinct = pd.factorize(bits)
    return ColumnCells(distinct.tolist(), codes)
