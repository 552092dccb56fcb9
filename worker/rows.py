"""The rows of a chunk: its bytes as the table that an estimator takes, and the rows that do not fit.

pandas' C parser reads the cells wherever it agrees with Python's `float` and `csv`; where it might not, and where a
cell does not fit, `worker/kinds.py` looks at each cell. Which of the two it was cannot be told from the table.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.jobs import csvcut
from rowcast.jobs.options import Options
from rowcast.models.manifest import Feature, Manifest
from worker.kinds import convert, dtype

Table = pd.DataFrame | NDArray[Any]
"""Shape (rows, features), in the manifest's order. See `make_table`."""

_BOM = b"\xef\xbb\xbf"

_NANS = ["", "nan", "NaN", "NAN", "Nan", "-nan", "-NaN", "+nan"]
"""What pandas shall take for a missing number; other spellings of nan it refuses, and they are read cell by cell."""


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
    delimiter, expected = options.delimiter, len(columns)
    inside = csvcut.quoted(data, delimiter)
    fields = csvcut.split(data, inside, delimiter, expected)
    faults = _misshapen(
        data, inside, fields, expected, f"the header has {expected}" if options.header else f"not {expected}"
    )
    good = np.setdiff1d(np.arange(len(fields.lines)), np.array(list(faults), np.int64), assume_unique=True)
    place_of = {name: place for place, name in enumerate(columns)}
    places = [place_of[feature.name] for feature in manifest.features]
    if len(good):
        shaped = _bytes_of(data, fields.lines, good)
        series = _parsed(shaped, manifest.features, places, delimiter)
        if series is None:
            texts = _texts(shaped, places, delimiter)
            series, misfits = _converted(texts, manifest.features)
            faults |= {int(good[index]): Fault(int(good[index]), *why) for index, why in misfits.items()}
            fit = np.setdiff1d(np.arange(len(good)), np.array(list(misfits), np.int64), assume_unique=True)
            series, good = [values[fit] for values in series], good[fit]
    else:
        series = [np.empty(0, dtype(feature)) for feature in manifest.features]
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


def _bytes_of(data: bytes, lines: csvcut.Lines, good: csvcut.Positions) -> bytes:
    """The good rows alone, without blank lines."""
    if len(good) < len(lines) or int((lines.stops - lines.starts).sum()) < len(data):
        spans = zip(lines.starts[good].tolist(), lines.stops[good].tolist(), strict=True)
        data = b"".join([data[start:stop] for start, stop in spans])
    return _BOM + data if data.startswith(_BOM) else data  # pandas takes one off, but here it is part of a cell


def _parsed(
    data: bytes, features: Sequence[Feature], places: Sequence[int], delimiter: str
) -> list[NDArray[Any]] | None:
    """The features' columns by pandas' parser; None where a cell does not fit, or may not."""
    types = {
        place: "float64" if feature.kind == "number" else "object"
        for feature, place in zip(features, places, strict=True)
    }
    missing = {place: _NANS for feature, place in zip(features, places, strict=True) if _may_lack_number(feature)}
    try:
        frame = _read_csv(data, delimiter, types, missing)
    except (ValueError, TypeError, OverflowError):  # ParserError is a ValueError
        return None
    series = []
    for feature, place in zip(features, places, strict=True):
        values = frame[place].to_numpy()
        if feature.kind == "number":
            if not _is_beyond_doubt(values, feature, data):
                return None
        else:
            values, misfits = convert(feature, values.tolist())
            if misfits:
                return None
        series.append(values)
    return series


def _may_lack_number(feature: Feature) -> bool:
    return feature.kind == "number" and feature.missing


def _is_beyond_doubt(values: NDArray[np.float64], feature: Feature, data: bytes) -> bool:
    """Whether the cells say these numbers for Python's `float`, too.

    pandas reads infinities, which fit nowhere, and a column of nothing but `true` and `false` as ones and zeros.
    """
    finite = np.isfinite(values)
    if not finite.all() and (not feature.missing or np.isinf(values).any()):
        return False
    if ((values == 0) | (values == 1) | ~finite).all():
        folded = data.lower()
        return b"true" not in folded and b"false" not in folded
    return True


def _texts(data: bytes, places: Sequence[int], delimiter: str) -> list[list[str]]:
    """The cells of the features' columns."""
    frame = _read_csv(data, delimiter, dict.fromkeys(places, "object"), {})
    return [frame[place].tolist() for place in places]


def _read_csv(data: bytes, delimiter: str, types: Mapping[int, str], missing: Mapping[int, list[str]]) -> pd.DataFrame:
    options: dict[str, Any] = {
        "sep": delimiter,
        "header": None,
        "index_col": False,
        "usecols": sorted(types),
        "dtype": types,
        "na_filter": bool(missing),
        "na_values": missing,
        "keep_default_na": False,
        "skip_blank_lines": False,
        "low_memory": False,
        "engine": "c",
    }
    frame: pd.DataFrame = pd.read_csv(io.BytesIO(data), **options)
    return frame


def _converted(
    texts: Sequence[Sequence[str]], features: Sequence[Feature]
) -> tuple[list[NDArray[Any]], dict[int, tuple[str, str, str]]]:
    """The features' columns, and for each row that does not fit the first cell, in the features' order, and why."""
    series: list[NDArray[Any]] = []
    faults: dict[int, tuple[str, str, str]] = {}
    for feature, cells in zip(features, texts, strict=True):
        values, misfits = convert(feature, cells)
        for index, message in misfits.items():
            faults.setdefault(index, (feature.name, cells[index], message))
        series.append(values)
    return series, faults
