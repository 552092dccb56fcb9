"""The type of a feature's column: pandas' name of it, its missing value, and what a cell has to be."""

import math
from typing import Any

import pandas as pd

from rowcast.models.model_manifest import Feature

_DTYPES = {"number": "float64", "integer": "int64", "text": "str", "date": "datetime64[us]", "category": "category"}
_FILLERS = {"number": 0.0, "integer": 0, "boolean": False, "text": "", "date": pd.NaT, "category": math.nan}


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


def missing_value(feature: Feature, cell: str) -> Any:
    """Returns the value of a missing cell.

    Raises:
        InvalidCell: the feature does not accept one.
    """
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


def filler(feature: Feature) -> Any:
    """Returns any value of the feature's type, which takes the place of an invalid cell."""
    return _FILLERS[feature.kind]
