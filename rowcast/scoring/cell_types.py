"""Cell types: what a cell means as a number, whole number, text, boolean, date or category, cell by cell."""

import math
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.models.cells import NAT_TEXTS, boolean, number, numbers, whole_number
from rowcast.models.model_manifest import Feature
from rowcast.scoring.cell_format import Reading

Column = Any
"""The values of one feature, shape (rows,): a numpy array or one of pandas', of the type that `column_dtype` gives."""

_DTYPES = {"number": "float64", "integer": "int64", "text": "str", "date": "datetime64[us]", "category": "category"}
_FILLERS = {"number": 0.0, "integer": 0, "boolean": False, "text": "", "date": pd.NaT, "category": math.nan}
_SHOWN_CATEGORIES = 5
_DIGITS = re.compile(r"\s*[+-]?[0-9]{1,4000}\s*")
_OFFSET = re.compile(r"(?:Z|(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?)$", re.IGNORECASE)
_NANOSECONDS = re.compile(r":[0-9]{1,2}\.[0-9]{7}")


class InvalidCell(ValueError):
    """A cell that its feature does not accept. The text says what the feature accepts."""


def column_dtype(feature: Feature) -> str:
    """Pandas' type of the feature's column. It depends only on the feature, so it is the same in every chunk."""
    if feature.dtype is not None:
        return feature.dtype
    if feature.kind == "boolean":
        return "object" if feature.missing else "bool"
    return _DTYPES[feature.kind]


def is_whole_dtype(dtype: str) -> bool:
    """Returns whether a numpy type, for example `uint8`, holds whole numbers only."""
    return dtype.startswith(("int", "uint"))


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
    read = _read_dates if feature.kind == "date" else _read_each
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
            values.append(_missing(feature, cell) if cell in reading.na_texts else read(cell))
        except InvalidCell as fault:
            values.append(_filler(feature))
            faults[cell] = str(fault)
    return values, faults


def _read_dates(feature: Feature, cells: Sequence[str], reading: Reading) -> tuple[list[Any], dict[str, str]]:
    """Reads dates in the feature's format; pandas does it for all at once.

    In a file with other UTC offsets, or with more digits of seconds, pandas would give the whole column another type.
    """
    faults: dict[str, str] = {}
    texts: list[str | None] = []
    for cell in cells:
        is_missing = cell in reading.na_texts or cell in NAT_TEXTS
        texts.append(None if is_missing else cell)
        try:
            if is_missing:
                _missing(feature, cell)
        except InvalidCell as fault:
            faults[cell] = str(fault)
    parsed = _parsed(feature, texts)
    if parsed is None or not _fits(parsed.dtype, column_dtype(feature)):
        misfits = {text: why for text in texts if text is not None and (why := _misfit(text, column_dtype(feature)))}
        faults |= misfits
        texts = [None if text in misfits else text for text in texts]
        parsed = _parsed(feature, texts)
    if parsed is None:  # offsets that are not numbers
        parsed = pd.Series([pd.NaT] * len(texts))
    for text in (texts[row] for row in np.flatnonzero(parsed.isna().to_numpy()).tolist()):
        if text is not None:
            faults[text] = f"not a date: write it as {feature.date_format or 'ISO 8601'}"
    dates = list(parsed)
    unit = str(np.datetime_data(np.dtype(column_dtype(feature).partition(",")[0].rstrip("]") + "]"))[0])
    for row, (text, date) in enumerate(zip(texts, dates, strict=True) if parsed.dt.unit != unit else ()):
        try:
            dates[row] = date if date is pd.NaT else date.as_unit(unit, round_ok=False)
        except ValueError:  # OutOfBoundsDatetime is one
            dates[row] = pd.NaT
            faults[str(text)] = f"does not fit into {column_dtype(feature)}, the type of the column"
    return dates, faults


def _parsed(feature: Feature, texts: Sequence[Any]) -> "pd.Series[Any] | None":
    """Returns the dates, with NaT for other texts. If they have several offsets from UTC, it returns None."""
    try:
        return pd.to_datetime(pd.Series(texts, dtype="object"), format=feature.date_format, errors="coerce")
    except ValueError:
        return None


def _fits(found: Any, dtype: str) -> bool:
    """Returns whether dates of the type that pandas found have the unit and the offset from UTC of `dtype`."""
    return _offset_of(found) == _offset_of(pd.api.types.pandas_dtype(dtype)) and (
        "[ns" in dtype or "[ns" not in str(found)
    )


def _offset_of(dtype: Any) -> timedelta | None:
    """Returns the offset from UTC of dates of a type; None for dates without a time zone."""
    return dtype.tz.utcoffset(None) if isinstance(dtype, pd.DatetimeTZDtype) else None


def _misfit(cell: str, dtype: str) -> str | None:
    """Returns why pandas would give a column with this cell another type than `dtype`; None if it would not."""
    wanted = pd.api.types.pandas_dtype(dtype)
    written = _OFFSET.search(cell)
    if isinstance(wanted, pd.DatetimeTZDtype) and written and _offset(written) != wanted.tz.utcoffset(None):
        return f"another offset from UTC than the sample's: convert the dates to {wanted.tz}"
    if "[ns" not in dtype and _NANOSECONDS.search(cell):
        return "more than six digits of a second: the sample has none with more"
    return None


def _offset(found: re.Match[str]) -> timedelta:
    sign, hours, minutes = found.group("sign", "hours", "minutes")
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    return -offset if sign == "-" else offset


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
        return float(_missing(feature, cell)) if value in reading.na_numbers else value

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


def _missing(feature: Feature, cell: str) -> Any:
    """Returns the value of a missing cell."""
    if not feature.missing:
        what = f"{cell!r} means missing" if cell else "empty"
        because = (
            "pandas would then read the whole column as floats, for which the model predicts something else"
            if feature.kind == "integer"
            else f"the column of the file is {feature.dtype}, which has no missing values"
            if feature.kind == "number" and is_whole_dtype(column_dtype(feature))
            else "the model does not accept a missing value here"
        )
        raise InvalidCell(f"{what}, and {because}")
    return pd.NaT if feature.kind == "date" else math.nan


def _filler(feature: Feature) -> Any:
    """Returns any value of the feature's type, which takes the place of an invalid cell."""
    return _FILLERS[feature.kind]


def _is_aware(dtype: str) -> bool:
    return "," in dtype


_READERS: dict[str, Callable[[Feature, Reading], Callable[[str], Any]]] = {
    "number": _numbers,
    "integer": _integers,
    "boolean": _booleans,
    "text": _texts,
    "category": _categories,
}
