"""The kinds of a feature: what a cell says as a number, a boolean or a text, exactly and cell by cell."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.models.manifest import Feature

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


class InvalidCell(ValueError):
    """A cell that does not fit its feature; the text says why."""


def dtype(feature: Feature) -> str:
    """The type of the feature's column: given by the feature alone, never by what a chunk happens to hold."""
    if feature.kind == "number":
        return "float64"
    return "bool" if feature.kind == "boolean" and not feature.missing else "object"


def convert(feature: Feature, cells: Sequence[str]) -> tuple[NDArray[Any], dict[int, str]]:
    """The column of a feature, shape (rows,), and what is wrong with the cells, by index, that do not fit.

    What stands in their place is any value of the type.
    """
    if feature.kind == "number" and (numbers := _plain_numbers(cells)) is not None:
        return numbers, {}
    known = {cell: _read(feature, cell) for cell in set(cells)}  # of text there are few different ones
    column = np.array([known[cell][0] for cell in cells], dtype=dtype(feature))
    if not any(why for _, why in known.values()):
        return column, {}
    return column, {index: why for index, cell in enumerate(cells) if (why := known[cell][1])}


def _read(feature: Feature, cell: str) -> tuple[Any, str]:
    """What a cell says, and why it does not fit, or an empty text."""
    try:
        value = _READERS[feature.kind](cell) if cell else _missing(feature)
        if isinstance(value, float) and math.isnan(value) and not feature.missing:
            raise InvalidCell("nan, and the model takes no missing value here")
    except InvalidCell as misfit:
        return np.zeros(1, dtype(feature))[0], str(misfit)
    return value, ""


def _plain_numbers(cells: Sequence[str]) -> NDArray[np.float64] | None:
    """The numbers, where all cells are finite ones without further question; else None."""
    try:
        values = np.array([float(cell) for cell in cells])
    except ValueError:
        return None
    return values if np.isfinite(values).all() and "_" not in "".join(cells) else None


def _number(cell: str) -> float:
    """What Python's `float` takes, less underscores and infinities."""
    try:
        value = float(cell)
    except ValueError:
        raise InvalidCell("not a number") from None
    if "_" in cell:
        raise InvalidCell("not a number")
    if math.isinf(value):
        raise InvalidCell("not a finite number")
    return value


def _boolean(cell: str) -> bool:
    """`true` and `1`, `false` and `0`, in any case, between blanks too."""
    value = _BOOLEANS.get(cell.strip().lower())
    if value is None:
        raise InvalidCell("not a boolean")
    return value


def _missing(feature: Feature) -> float | None:
    if not feature.missing:
        raise InvalidCell("empty, and the model takes no missing value here")
    return math.nan if feature.kind == "number" else None


_READERS: dict[str, Callable[[str], Any]] = {"number": _number, "boolean": _boolean, "text": str}
