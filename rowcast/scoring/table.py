"""The rows of a chunk: its bytes as the table that an estimator takes, and the rows that do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.jobs import csvcut
from rowcast.jobs.options import Options
from rowcast.models.manifest import Manifest
from rowcast.scoring.cell_types import dtype
from rowcast.scoring.columns import read_columns

Table = pd.DataFrame | NDArray[Any]
"""Shape (rows, features), in the manifest's order. See `make_table`."""


@dataclass(frozen=True)
class Fault:
    """Why a row cannot be predicted. `row` counts from 0; column and value are empty where it is the whole row."""

    row: int
    column: str
    value: str
    message: str


@dataclass(frozen=True)
class Rows:
    """The rows of a chunk. `table` has those of the indexes `good`; each other has one fault."""

    fields: csvcut.Fields
    good: csvcut.Positions
    table: Table
    faults: list[Fault]


def read(data: bytes, columns: Sequence[str], manifest: Manifest, options: Options, *, named: bool) -> Rows:
    """Reads whole rows with these columns; they may end without a line end. `named` is as in `make_table`."""
    expected = len(columns)
    inside = csvcut.quoted(data, options.delimiter)
    fields = csvcut.split(data, inside, options.delimiter, expected)
    but = f"the header has {expected}" if options.header else f"not {expected}"
    faults = _misshapen(data, inside, fields, expected, but)
    good = np.setdiff1d(np.arange(len(fields.lines)), np.array(list(faults), np.int64), assume_unique=True)
    place_of = {name: place for place, name in enumerate(columns)}
    places = [place_of[feature.name] for feature in manifest.features]
    series, misfits = read_columns(
        data, fields.lines, good, manifest.features, places=places, delimiter=options.delimiter
    )
    if misfits:
        faults |= {int(good[index]): Fault(int(good[index]), *misfit) for index, misfit in misfits.items()}
        fit = np.setdiff1d(np.arange(len(good)), np.array(list(misfits), np.int64), assume_unique=True)
        series, good = [values[fit] for values in series], good[fit]
    return Rows(fields, good, make_table(series, manifest, named=named), [faults[row] for row in sorted(faults)])


def make_table(series: Sequence[NDArray[Any]], manifest: Manifest, *, named: bool) -> Table:
    """A table from one array a feature, of the type that `kinds.dtype` says.

    `named`: a DataFrame, for estimators that were fitted with one; else an array, float64 if all are numbers.
    """
    if all(feature.kind == "number" for feature in manifest.features):
        # Column beside column in memory, as pandas has what it reads: sums come out the same to the last bit.
        numbers = np.stack(series).T
        return pd.DataFrame(numbers, columns=manifest.feature_names, copy=False) if named else numbers
    if not named:
        table = np.empty((len(series[0]), len(series)), "object")
        for place, values in enumerate(series):
            table[:, place] = values
        return table
    # Left to itself, pandas makes text of another type than object.
    typed = {
        feature.name: pd.Series(values, dtype=dtype(feature), copy=False)
        for feature, values in zip(manifest.features, series, strict=True)
    }
    return pd.DataFrame(typed)


def table_of_values(rows: Sequence[Sequence[object]], manifest: Manifest, *, named: bool = True) -> Table:
    """The table of rows of JSON values in the model's order, checked before: float, int, str, bool, or None."""
    by_feature = zip(*rows, strict=True) if rows else [()] * len(manifest.features)
    series = [
        np.array(
            [np.nan if value is None else value for value in values] if feature.kind == "number" else values,
            dtype(feature),
        )
        for feature, values in zip(manifest.features, by_feature, strict=True)
    ]
    return make_table(series, manifest, named=named)


def _misshapen(data: bytes, inside: csvcut.Quoted, fields: csvcut.Fields, expected: int, but: str) -> dict[int, Fault]:
    """The rows whose bytes are no row of this input, by index; `but` says how many fields there should be."""
    faults = {}
    for row in np.flatnonzero(fields.counts != expected).tolist():
        count = int(fields.counts[row])
        noun = "field" if count == 1 else "fields"
        faults[row] = Fault(row, "", "", f"has {count} {noun}, {but}")
    returns = csvcut.lone_returns(data, inside)
    for row in np.searchsorted(fields.lines.starts, returns, "right").tolist():
        faults[row - 1] = Fault(row - 1, "", "", "has a carriage return outside quotes; rows end in LF or CRLF")
    return faults
