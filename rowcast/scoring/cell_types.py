"""Cell types: what a cell means as a number, whole number, text, boolean, date or category, cell by cell."""

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.models.cells import boolean, number, numbers, whole_number
from rowcast.models.model_manifest import Feature
from rowcast.scoring.cell_format import Reading
from rowcast.scoring.typed.column_type import InvalidCell, column_dtype, filler, is_whole_dtype, missing_value
from rowcast.scoring.typed.date_cells import read_dates

Column = Any
"""The values of one feature, shape (rows,): a numpy array or one of pandas', of the type that `column_dtype` gives."""

_SHOWN_CATEGORIES = 5
_DIGITS = re.compile(r"\s*[+-]?[0-9]{1,4000}\s*")


def as_column(feature: Feature, values: Sequence[Any]) -> Column:
    """Converted values as the feature's column; missing ones are NaN or NaT."""
    dtype = column_dtype(feature)
    if dtype == "category":
        return pd.Categorical(values, categories=_all_categories(feature, values))
    if feature.kind in ("number", "integer") or dtype == "bool":
        return np.array(values, dtype)
    objects = np.empty(len(values), "object")
    objects[:] = values
    if dtype == "object":
        return objects
    if feature.kind == "date":
        return pd.DatetimeIndex(pd.to_datetime(objects, utc=_is_aware(dtype))).astype(dtype).array
    return pd.Series(objects, dtype=dtype).array


def _all_categories(feature: Feature, values: Sequence[Any]) -> Sequence[Any] | None:
    """Returns the feature's categories, and behind them the values of others if the model takes these."""
    known = feature.categories
    if feature.unseen != "kept" or known is None:
        return known
    return [*known, *sorted({value for value in values if isinstance(value, str)}.difference(map(str, known)))]


def convert(feature: Feature, cells: Sequence[str], reading: Reading) -> tuple[Column, dict[int, str]]:
    """Converts the cells of one feature.

    Returns:
        The column, shape (rows,), and for each invalid cell its index and what is wrong with it. In place of
        an invalid cell the column has any value of the type.
    """
    if column_dtype(feature) == "float64" and (numbers := _plain_numbers(cells, reading)) is not None:
        return numbers, {}
    distinct = list(dict.fromkeys(cells))  # a column of text has few different cells
    read = read_dates if feature.kind == "date" else _read_each
    values, faults = read(feature, distinct, reading)
    codes = {cell: code for code, cell in enumerate(distinct)}
    column = as_column(feature, values).take(np.array([codes[cell] for cell in cells], np.int64))
    if not faults:
        return column, {}
    return column, {index: faults[cell] for index, cell in enumerate(cells) if cell in faults}


def _read_each(feature: Feature, cells: Sequence[str], reading: Reading) -> tuple[list[Any], dict[str, str]]:
    read = _READERS[feature.kind](feature, reading)
    values: list[Any] = []
    faults: dict[str, str] = {}
    for cell in cells:
        try:
            values.append(missing_value(feature, cell) if cell in reading.na_texts else read(cell))
        except InvalidCell as fault:
            values.append(filler(feature))
            faults[cell] = str(fault)
    return values, faults


def _plain_numbers(cells: Sequence[str], reading: Reading) -> NDArray[np.float64] | None:
    """Returns the numbers, if every cell is a finite number without further question; otherwise None."""
    if reading.decimal != "." or reading.na_numbers:
        return None
    found = numbers(cells)
    if found is None:
        return None
    values = np.array(found)
    return values if np.isfinite(values).all() else None


def _numbers(feature: Feature, reading: Reading) -> Callable[[str], float]:
    """Reads what Python's `float` takes, without underscores and infinities."""
    if is_whole_dtype(column_dtype(feature)):
        return _whole_numbers(feature)
    limits = np.finfo(column_dtype(feature))
    largest = float(limits.max) * (1 + float(limits.eps) / 4)  # what is rounded to the maximum may be over it

    def read(cell: str) -> float:
        written = cell
        if reading.decimal != ".":
            if "." in cell:
                raise InvalidCell(f"not a number: the decimal mark is {reading.decimal!r}")
            written = cell.replace(reading.decimal, ".")
        value = number(written)
        # NaN here is not one of the spellings that mean missing: pandas would read the column as text.
        if value is None or math.isnan(value):
            raise InvalidCell(_not_a_number(feature, cell, reading))
        if math.isinf(value):
            raise InvalidCell("not a finite number")
        if abs(value) > largest:
            raise InvalidCell(_beyond(feature, float(limits.min), float(limits.max)))
        return float(missing_value(feature, cell)) if value in reading.na_numbers else value

    return read


def _not_a_number(feature: Feature, cell: str, reading: Reading) -> str:
    if reading.decimal == "." and re.fullmatch(r"\s*[+-]?[0-9]*,[0-9]+\s*", cell):
        return "not a number; for decimal commas send decimal=,"
    if feature.missing:
        return "not a number; if it means missing, leave the cell empty or list its text in na_values"
    return "not a number"


def _whole_numbers(feature: Feature) -> Callable[[str], int]:
    """Reads numbers for a column of a file that has whole numbers only. `2.0` is one, as for pandas' parser."""
    limits = np.iinfo(column_dtype(feature))

    def read(cell: str) -> int:
        value = number(cell)
        if value is None or not value.is_integer():
            raise InvalidCell(f"not a whole number: the column of the file is {limits.dtype}")
        exact = int(cell) if _DIGITS.fullmatch(cell) else int(value)
        if not limits.min <= exact <= limits.max:
            raise InvalidCell(_beyond(feature, limits.min, limits.max))
        return exact

    return read


def _beyond(feature: Feature, least: float, most: float) -> str:
    return f"not from {least} to {most}: the column of the file is {column_dtype(feature)}"


def _integers(feature: Feature, _reading: Reading) -> Callable[[str], int]:
    limits = np.iinfo(column_dtype(feature))

    def read(cell: str) -> int:
        value = whole_number(cell)
        if value is None:
            raise InvalidCell("not a whole number: the model was registered with whole numbers in this column")
        if not limits.min <= value <= limits.max:
            raise InvalidCell(_beyond(feature, limits.min, limits.max))
        return value

    return read


def _booleans(feature: Feature, _reading: Reading) -> Callable[[str], bool]:
    """Reads `true` and `false`, `1` and `0`, or the feature's own texts; capitals or not, as pandas does."""
    true, false = feature.true_texts, feature.false_texts
    takes = [text for pair in zip(true, false, strict=False) for text in pair if not text.endswith(".0")]

    def read(cell: str) -> bool:
        value = boolean(cell, true, false)
        if value is None:
            raise InvalidCell(f"not a boolean: write {', '.join(takes[:-1])} or {takes[-1]}")
        return value

    return read


def _categories(feature: Feature, _reading: Reading) -> Callable[[str], Any]:
    known = feature.categories or []
    shown = ", ".join(map(str, known[:_SHOWN_CATEGORIES])) + (", ..." if len(known) > _SHOWN_CATEGORIES else "")
    flags = {str(value).lower(): value for value in known if isinstance(value, bool)}
    are_texts = not known or any(isinstance(value, str) for value in known)
    values = {str(value): value for value in known}
    by_number = {
        float(value): value for value in known if isinstance(value, int | float) and not isinstance(value, bool)
    }

    def read(cell: str) -> Any:
        if cell in values:
            return values[cell]
        if cell.lower() in flags:
            return flags[cell.lower()]
        value = number(cell)
        if value is not None and value in by_number:
            return by_number[value]
        # A text among numbers would make texts of all the file's values in pandas.
        is_of_their_type = are_texts or (value is not None and bool(by_number))
        if is_of_their_type and feature.unseen == "missing":
            return math.nan
        if is_of_their_type and feature.unseen == "kept":
            return cell
        raise InvalidCell(f"not one of the categories that the model knows: {shown}")

    return read


def _texts(_feature: Feature, _reading: Reading) -> Callable[[str], str]:
    return str


def _is_aware(dtype: str) -> bool:
    return "," in dtype


_READERS: dict[str, Callable[[Feature, Reading], Callable[[str], Any]]] = {
    "number": _numbers,
    "integer": _integers,
    "boolean": _booleans,
    "text": _texts,
    "category": _categories,
}
