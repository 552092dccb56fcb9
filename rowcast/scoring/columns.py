"""The columns of the features: the cells of whole rows, by pandas where that is sure, else one by one.

pandas' C parser reads the cells wherever it agrees with Python's `float` and `csv`; where it might not, and where a
cell does not fit, `cell_types.py` looks at each cell. Which of the two it was cannot be told from the columns.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.jobs import csvcut
from rowcast.models.manifest import Feature
from rowcast.scoring.cell_types import convert, dtype

Misfits = dict[int, tuple[str, str, str]]
"""Of each row that does not fit, by index, the first cell that does not, in the features' order: column, cell, why."""

_BOM = b"\xef\xbb\xbf"

_NANS = ["", "nan", "NaN", "NAN", "Nan", "-nan", "-NaN", "+nan"]
"""What pandas shall take for a missing number; other spellings of nan it refuses, and they are read cell by cell."""

_PIECE_ROWS = 2048
"""Around a cell that is in doubt so many rows are read cell by cell, which takes some five times as long."""


def read_columns(
    data: bytes,
    lines: csvcut.Lines,
    rows: csvcut.Positions,
    features: Sequence[Feature],
    *,
    places: Sequence[int],
    delimiter: str,
) -> tuple[list[NDArray[Any]], Misfits]:
    """Reads the `rows` (indexes into `lines`, all of the right shape): one array a feature, which is at its place.

    Indexes of misfits count along `rows`; what the arrays have there means nothing.
    """
    if not len(rows):
        return [np.empty(0, dtype(feature)) for feature in features], {}
    sent = _bytes_of(data, lines, rows)
    series = _parsed(sent, features, places, delimiter)
    if series is not None:
        return series, {}
    if len(rows) <= _PIECE_ROWS:
        return _converted(_texts(sent, places, delimiter), features)
    pieces: list[list[NDArray[Any]]] = []
    misfits: Misfits = {}
    for start in range(0, len(rows), _PIECE_ROWS):
        some = rows[start : start + _PIECE_ROWS]
        piece, bad = read_columns(data, lines, some, features, places=places, delimiter=delimiter)
        pieces.append(piece)
        misfits |= {start + index: misfit for index, misfit in bad.items()}
    return [np.concatenate(column) for column in zip(*pieces, strict=True)], misfits


def _bytes_of(data: bytes, lines: csvcut.Lines, rows: csvcut.Positions) -> bytes:
    """The bytes of these rows, without blank lines or other rows between them."""
    starts, stops = lines.starts[rows], lines.stops[rows]
    if int((stops - starts).sum()) == int(stops[-1] - starts[0]):
        sent = data[int(starts[0]) : int(stops[-1])]
    else:
        sent = b"".join([data[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)])
    return _BOM + sent if sent.startswith(_BOM) else sent  # pandas takes one off, but here it is part of a cell


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


def _converted(texts: Sequence[Sequence[str]], features: Sequence[Feature]) -> tuple[list[NDArray[Any]], Misfits]:
    """The features' columns, cell by cell."""
    series: list[NDArray[Any]] = []
    faults: Misfits = {}
    for feature, cells in zip(features, texts, strict=True):
        values, misfits = convert(feature, cells)
        for index, message in misfits.items():
            faults.setdefault(index, (feature.name, cells[index], message))
        series.append(values)
    return series, faults
