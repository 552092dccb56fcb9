"""What the cells of a column are: number, boolean or text, and the columns of the table that a pipeline gets.

The table is the same at training and when a worker scores: a DataFrame with one column for each feature, in the
manifest's order. Numbers are float64 with NaN for a missing one; booleans are bool, or objects with NaN if one is
missing; text is pandas' `str` with NaN for a missing one.
"""

from collections.abc import Mapping, Sequence
from math import inf, isnan, nan
from typing import Any, Literal, cast

import numpy as np
import pandas as pd

from rowcast.models import cells as cell_rules
from rowcast.models.model_manifest import Feature, Label
from training.fitting.training_file import Cell

Kind = Literal["number", "text", "boolean"]

SHOWN_CATEGORIES = 50
"""If a text column has more values than this, the manifest does not list them."""


def number(cell: Cell) -> float | None:
    """Returns the cell as a number: NaN if it is missing, None if it is not a number (`rowcast/models/cells.py`)."""
    return nan if cell is None else cell_rules.number(cell)


def boolean(cell: Cell) -> bool | None:
    """Returns the cell as a boolean: `true` or `false` in any case. None if it is missing or something else."""
    return None if cell is None else cell_rules.boolean(cell)


def is_infinite(value: float | None) -> bool:
    """Returns whether a cell is `inf` or a number that is too large. No estimator accepts it."""
    return value in (inf, -inf)


def kind_of(cells: Sequence[Cell]) -> Kind:
    """Returns the kind of a column. With infinities or digits with leading zeros it is text."""
    distinct = set(cells) - {None}
    if any(cell_rules.LEADING_ZERO.fullmatch(cell) for cell in distinct if cell is not None):
        return "text"
    if distinct and all(boolean(cell) is not None for cell in distinct):
        return "boolean"
    values = map(number, distinct)
    return "number" if all(value is not None and not is_infinite(value) for value in values) else "text"


def is_empty(cells: Sequence[Cell]) -> bool:
    """Returns whether each cell of a column is missing or `nan`."""
    return all((value := number(cell)) is not None and isnan(value) for cell in set(cells))


def odd_cell(cells: Sequence[Cell]) -> tuple[int, str] | None:
    """Returns row and text of the first cell that is not a number, if nine tenths of the column are; otherwise None."""
    counted = [(value := number(cell)) is not None and not is_infinite(value) for cell in cells]
    odd = counted.count(False)
    if not 0 < odd <= len(cells) // 10:
        return None
    row = counted.index(False)
    return row + 1, str(cells[row])


def feature(name: str, cells: Sequence[Cell], missing: bool = True) -> Feature:
    """Returns the feature of a column: its kind and, for text with few values, its values."""
    kind = kind_of(cells)
    values: list[Label] | None = sorted({cell for cell in cells if cell is not None}) if kind == "text" else None
    shown = values if values is not None and len(values) <= SHOWN_CATEGORIES else None
    return Feature(name=name, kind=kind, missing=missing, categories=shown)


def series(cells: Sequence[Cell], kind: Kind) -> "pd.Series[Any]":
    """Returns the cells, which are of this kind, as a column of the table."""
    if kind == "number":
        values = {cell: number(cell) for cell in set(cells)}
        return pd.Series([values[cell] for cell in cells], dtype="float64")
    if kind == "boolean":
        flags = [boolean(cell) for cell in cells]
        return pd.Series([nan if flag is None else flag for flag in flags], dtype="object" if None in flags else "bool")
    return pd.Series(np.array([nan if cell is None else cell for cell in cells], dtype=object), dtype="str")


def table(columns: Mapping[str, Sequence[Cell]], features: Sequence[Feature]) -> pd.DataFrame:
    """Returns the table of a pipeline, shape (rows, features), from columns of cells."""
    return pd.DataFrame({feature.name: series(columns[feature.name], cast(Kind, feature.kind)) for feature in features})
