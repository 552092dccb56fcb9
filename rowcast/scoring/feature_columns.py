"""The columns of the features, read by a parser if the result is certain, otherwise cell by cell.

Plain numbers are read by compiled code (`rowcast/csv/number_cells.py`), other columns by pandas' C parser. The parser
reads the cells if it agrees with `cell_types.py` about every one of them. If it may not, or if a cell is invalid, each
cell is read by itself. Which of these happened cannot be seen in the columns.
"""

import io
from collections.abc import Sequence
from functools import cache
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.csv import scan
from rowcast.csv.number_cells import read_numbers
from rowcast.models.cells import FALSE, TRUE
from rowcast.models.model_manifest import Feature
from rowcast.scoring.cell_format import Reading
from rowcast.scoring.cell_types import Column, as_column, convert
from rowcast.scoring.typed.column_type import column_dtype

InvalidCells = dict[int, tuple[str, str, str]]
"""For each row with an invalid cell, by index: column, cell and reason of the first one, in the features' order."""

_BOM = b"\xef\xbb\xbf"

_PLAIN_FOR_EACH_DOUBTFUL = 16
"""With fewer plain cells for each doubtful one, pandas' parser is faster."""

_PIECE_ROWS = 2048
"""Around an uncertain cell, this many rows are read cell by cell, which takes about five times as long."""


def read_columns(
    data: bytes,
    fields: scan.Fields,
    rows: scan.Positions,
    features: Sequence[Feature],
    *,
    places: Sequence[int],
    reading: Reading,
) -> tuple[list[Column], InvalidCells]:
    """Reads the features of some rows of a chunk. `rows` are indexes into its lines; each row has the right fields.

    `places` has for each feature the place of its field in a row, from 0.

    Returns:
        One column per feature, and the invalid cells by index in `rows`. The columns' values there mean nothing.
    """
    if not len(rows):
        return [as_column(feature, []) for feature in features], {}
    columns, invalid = _plain_numbers(data, fields, rows, features, places=places, reading=reading)
    others = [index for index in range(len(features)) if index not in columns]
    if others:
        some, more = [features[index] for index in others], [places[index] for index in others]
        read, faults = _parsed_or_converted(data, fields.lines, rows, some, places=more, reading=reading)
        columns |= dict(zip(others, read, strict=True))
        invalid = _first_of_each(invalid, faults, features) if invalid else faults
    return [columns[index] for index in range(len(features))], invalid


def _plain_numbers(
    data: bytes,
    fields: scan.Fields,
    rows: scan.Positions,
    features: Sequence[Feature],
    *,
    places: Sequence[int],
    reading: Reading,
) -> tuple[dict[int, Column], InvalidCells]:
    """Returns the columns of numbers by the feature's index; nothing if too many cells are not plain numbers."""
    if reading.decimal != "." or reading.na_numbers:
        return {}, {}
    plain = [index for index, feature in enumerate(features) if column_dtype(feature) == "float64"]
    gaps = [features[index].missing and "" in reading.na_texts for index in plain]
    found = read_numbers(data, fields, rows, [places[index] for index in plain], gaps) if plain else None
    if found is None:
        return {}, {}
    columns: dict[int, Column] = dict(zip(plain, found.values, strict=True))
    if found.doubtful is None:
        return columns, {}
    if np.count_nonzero(found.doubtful) * _PLAIN_FOR_EACH_DOUBTFUL > found.doubtful.size:
        return {}, {}
    invalid: InvalidCells = {}
    for index, doubtful in zip(plain, found.doubtful, strict=True):
        which = np.flatnonzero(doubtful)
        begins, ends = fields.spans_of(rows[which], places[index])
        cells = [scan.text(data[begin:end]) for begin, end in zip(begins.tolist(), ends.tolist(), strict=True)]
        columns[index][which], faults = convert(features[index], cells, reading)
        for cell, message in faults.items():
            invalid.setdefault(int(which[cell]), (features[index].name, cells[cell], message))
    return columns, invalid


def _first_of_each(one: InvalidCells, other: InvalidCells, features: Sequence[Feature]) -> InvalidCells:
    """Returns the invalid cells of both. If both have one in the same row, the one of the first feature is kept."""
    order = {feature.name: index for index, feature in enumerate(features)}
    kept = {row: cell for row, cell in other.items() if row not in one or order[cell[0]] < order[one[row][0]]}
    return one | kept


def _parsed_or_converted(
    data: bytes,
    lines: scan.Lines,
    rows: scan.Positions,
    features: Sequence[Feature],
    *,
    places: Sequence[int],
    reading: Reading,
) -> tuple[list[Column], InvalidCells]:
    """Reads columns by pandas' parser, or cell by cell; as `read_columns`."""
    sent = _bytes_of(data, lines, rows)
    columns = _parsed(sent, features, places, reading)
    if columns is not None:
        return columns, {}
    if len(rows) <= _PIECE_ROWS:
        return _converted(_texts(sent, places, reading.delimiter), features, reading)
    pieces: list[list[Column]] = []
    invalid: InvalidCells = {}
    for start in range(0, len(rows), _PIECE_ROWS):
        some = rows[start : start + _PIECE_ROWS]
        piece, bad = _parsed_or_converted(data, lines, some, features, places=places, reading=reading)
        pieces.append(piece)
        invalid |= {start + index: cell for index, cell in bad.items()}
    return [_concatenated(column) for column in zip(*pieces, strict=True)], invalid


def _bytes_of(data: bytes, lines: scan.Lines, rows: scan.Positions) -> bytes:
    """Returns the bytes of these rows, without blank lines or other rows between them."""
    starts, stops = lines.starts[rows], lines.stops[rows]
    if int((stops - starts).sum()) == int(stops[-1] - starts[0]):
        sent = data[int(starts[0]) : int(stops[-1])]
    else:
        sent = b"".join([data[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)])
    return _BOM + sent if sent.startswith(_BOM) else sent  # pandas takes one off, but here it is part of a cell


def _parsed(data: bytes, features: Sequence[Feature], places: Sequence[int], reading: Reading) -> list[Column] | None:
    """Returns the features' columns by pandas' parser; None if a cell is invalid, or may be."""
    found = dict(zip(places, features, strict=True))
    types = {place: _parser_type(feature) for place, feature in found.items()}
    na_texts, gaps = list(reading.na_texts), [place for place, one in found.items() if _parser_reads_missing(one)]
    # One list for all columns, if it is the same for all: pandas copies it for each column of a dict.
    na_values = na_texts if len(gaps) == len(found) else dict.fromkeys(gaps, na_texts)
    options = {"na_filter": bool(gaps), "na_values": na_values, "decimal": reading.decimal}
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # such numbers do not fit, so they are not certain
            frame = _read_csv(data, reading.delimiter, types, options)
    except (ValueError, TypeError, OverflowError):  # ParserError is a ValueError
        return None
    columns: list[Column] = []
    for place, feature in found.items():
        column = _certain(feature, frame[place], data, reading)
        if column is None:
            return None
        columns.append(column)
    return columns


def _parser_type(feature: Feature) -> Any:
    """Returns what the parser is asked for; other types are converted after it.

    For int64 it would take `1.0`. For uint64 it would round all large numbers because of one `1.0`.
    """
    dtype = column_dtype(feature)
    return _dtype(dtype if feature.kind in ("number", "text") and dtype != "uint64" else "object")


@cache
def _dtype(name: str) -> Any:
    """Returns what pandas makes of a type's name. For a table of 5,000 columns, that takes a quarter of the parsing."""
    return pd.api.types.pandas_dtype(name)


def _parser_reads_missing(feature: Feature) -> bool:
    """Returns whether the parser reads missing cells. For text, only its result shows that a cell is missing."""
    return feature.kind == "text" or (feature.kind == "number" and feature.missing)


def _certain(feature: Feature, series: "pd.Series[Any]", data: bytes, reading: Reading) -> Column | None:
    """Returns the column, if every cell in it is certainly valid; otherwise None."""
    if feature.kind == "text":
        return series.array if feature.missing or not series.isna().any() else None
    values = series.to_numpy()
    if feature.kind == "number" and values.dtype != "object":
        return values if _are_numbers(values, feature, data) else None
    column, invalid = convert(feature, values.tolist(), reading)
    return None if invalid else column


def _are_numbers(values: NDArray[Any], feature: Feature, data: bytes) -> bool:
    """Returns whether the cells mean these numbers for Python's `float`, too.

    pandas also reads infinities, which no feature takes, and a column of only `true` and `false` as ones and zeros.
    """
    finite = np.isfinite(values)
    if not finite.all() and (not feature.missing or np.isinf(values).any()):
        return False
    if ((values == 0) | (values == 1) | ~finite).all():
        folded = data.lower()
        return TRUE.encode() not in folded and FALSE.encode() not in folded
    return True


def _texts(data: bytes, places: Sequence[int], delimiter: str) -> list[list[str]]:
    """Returns the cells of the features' columns."""
    frame = _read_csv(data, delimiter, dict.fromkeys(places, "object"), {"na_filter": False})
    return [frame[place].tolist() for place in places]


def _read_csv(data: bytes, delimiter: str, types: dict[int, Any], more: dict[str, Any]) -> pd.DataFrame:
    options: dict[str, Any] = {
        "sep": delimiter,
        "header": None,
        "index_col": False,
        "usecols": sorted(types),
        "dtype": types,
        "keep_default_na": False,
        "skip_blank_lines": False,
        "low_memory": False,
        "engine": "c",
        **more,
    }
    return cast(pd.DataFrame, pd.read_csv(io.BytesIO(data), **options))


def _converted(
    texts: Sequence[Sequence[str]], features: Sequence[Feature], reading: Reading
) -> tuple[list[Column], InvalidCells]:
    """Returns the features' columns, cell by cell."""
    columns: list[Column] = []
    invalid: InvalidCells = {}
    for feature, cells in zip(features, texts, strict=True):
        column, faults = convert(feature, cells, reading)
        for index, message in faults.items():
            invalid.setdefault(index, (feature.name, cells[index], message))
        columns.append(column)
    return columns, invalid


def _concatenated(pieces: Sequence[Column]) -> Column:
    if isinstance(pieces[0], np.ndarray):
        return np.concatenate(pieces)
    if isinstance(pieces[0], pd.Categorical):  # each may have values that the others lack
        return pd.api.types.union_categoricals(list(pieces))
    return pd.concat([pd.Series(piece) for piece in pieces], ignore_index=True).array
