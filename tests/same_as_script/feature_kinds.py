"""Kinds of features: the cells that a file has for each, and how a script reads them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MISSING = {
    "none": None,
    "empty": "",
    "NA": "NA",
    "NaN": "NaN",
    "null": "null",
    "None": "None",
    "N/A": "N/A",
    "<NA>": "<NA>",
    "dash": "-",
    "question": "?",
}
"""The kinds of missing values: what stands in such a cell, None for a column without gaps."""

NAMED = ("-", "?")
"""Those that pandas takes for missing only if `na_values` names them."""


@dataclass(frozen=True)
class Kind:
    """A kind of feature: its cells, and what is said of the column to `pandas.read_csv` and at registration."""

    cells: Callable[[np.random.Generator, int], Sequence[str]]
    #: What `read_csv(dtype=...)` gets as its type, None if pandas guesses.
    dtype: str | None = None
    #: Whether the column stands in `parse_dates`.
    is_date: bool = False
    #: The kind that is named at registration, None if it is found from the sample.
    named: str | None = None
    #: The decimal point, None for the usual one.
    decimal: str | None = None
    #: More arguments of `read_csv`, for all columns.
    read: Mapping[str, Any] = field(default_factory=dict)


def _some(*values: str) -> Callable[[np.random.Generator, int], Sequence[str]]:
    """Cells of a few values. Each comes in the first rows, so that every file has all."""

    def cells(random: np.random.Generator, rows: int) -> Sequence[str]:
        chosen = [values[index] for index in random.integers(0, len(values), rows)]
        return [*values, *chosen][:rows] if rows >= len(values) else chosen

    return cells


def _floats(random: np.random.Generator, rows: int) -> Sequence[str]:
    return [f"{value:.3f}" for value in random.normal(170, 9, rows)]


def _decimal_commas(random: np.random.Generator, rows: int) -> Sequence[str]:
    return [cell.replace(".", ",") for cell in _floats(random, rows)]


def _integers(random: np.random.Generator, rows: int) -> Sequence[str]:
    return [str(value) for value in random.integers(0, 9, rows)]


def _dates(random: np.random.Generator, rows: int) -> Sequence[str]:
    return [str(np.datetime64("2023-01-01") + int(days)) for days in random.integers(0, 900, rows)]


def _american_dates(random: np.random.Generator, rows: int) -> Sequence[str]:
    days = [cell.split("-") for cell in _dates(random, rows)]
    return [f"{month}/{day}/{year}" for year, month, day in days]


def _moments(random: np.random.Generator, rows: int) -> Sequence[str]:
    return [
        f"{day} {hour:02}:{hour:02}:07"
        for day, hour in zip(_dates(random, rows), random.integers(0, 24, rows), strict=True)
    ]


def _moments_in_utc(random: np.random.Generator, rows: int) -> Sequence[str]:
    return [cell.replace(" ", "T") + "Z" for cell in _moments(random, rows)]


KINDS = {
    "float": Kind(_floats),
    "float with a comma": Kind(_decimal_commas, decimal=","),
    "few floats": Kind(_some("0.5", "1.25", "-3.75", "100.0", "1e5", "7")),
    "integer": Kind(_integers),
    "text": Kind(_some("Aix", "Bonn", "Oslo", "São Paulo", " Rome ")),
    "boolean": Kind(_some("True", "False", "true", "FALSE", "TRUE", "false")),
    "date": Kind(_dates, is_date=True),
    "American date": Kind(_american_dates, is_date=True),
    "moment": Kind(_moments, is_date=True),
    "moment in UTC": Kind(_moments_in_utc, is_date=True),
    "category": Kind(_some("basic", "plus", "pro"), dtype="category", named="category"),
    "category of numbers": Kind(_some("1", "2", "30"), dtype="category", named="category"),
    "digits": Kind(_some("02139", "10001", "00501", "7"), dtype="str", named="text"),
    "digits as numbers": Kind(_some("02139", "10001", "00501", "7"), named="number"),
    "yes/no": Kind(_some("yes", "no")),
    "yes/no as boolean": Kind(
        _some("yes", "no"), named="boolean", read={"true_values": ["yes"], "false_values": ["no"]}
    ),
    "mixed": Kind(_some("3", "4.5", "x", "true", "yes")),
}


def column(kind: Kind, missing: str | None, random: np.random.Generator, rows: int) -> list[str]:
    """Returns the cells of a column, a sixth of them missing."""
    cells = list(kind.cells(random, rows))
    if missing is not None:
        for row in np.flatnonzero(random.random(rows) < 1 / 6).tolist():
            cells[row] = missing
    return cells
