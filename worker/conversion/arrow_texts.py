"""Arrow columns as the texts of CSV fields: vectorised, quoted where CSV needs it, a null as a null."""

from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from rowcast.errors import WrongColumnType
from rowcast.models.model_manifest import Feature
from worker.conversion.column_types import is_cell
from worker.conversion.nested_texts import nested_texts

_ODD = r'[",\r\n]|\A\s|\s\z|\A\z'
"""Text that gets quotes. An empty text does, too: a field without quotes is a null."""

_ISO = "%Y-%m-%d %H:%M:%S.%f"


def fields_of(column: pa.Array, name: str, feature: Feature | None) -> pa.Array:
    """Returns the fields of a column. Of a feature, they are as it reads them; `column_types.py` allows its type.

    Raises:
        WrongColumnType: the feature's format of dates cannot express a date.
    """
    type = column.type
    if pa.types.is_dictionary(type):
        return fields_of(column.dictionary_decode(), name, feature)
    if not is_cell(type):
        return quoted(nested_texts(column))
    if pa.types.is_floating(type):
        return _floats(column)
    if pa.types.is_boolean(type) and feature is not None and feature.kind == "boolean":
        true, false = pa.scalar(feature.true_texts[0]), pa.scalar(feature.false_texts[0])
        return pc.if_else(column, true, false)
    if pa.types.is_date(type) or pa.types.is_timestamp(type):
        return _feature_dates(column, name, feature) if feature and feature.kind == "date" else _dates(column)
    texts = pc.cast(column, pa.string())
    return quoted(texts) if _is_text(type) else texts


def quoted(texts: pa.Array) -> pa.Array:
    """Returns texts in quotes where they need them."""
    odd = pc.match_substring_regex(texts, _ODD)
    if not pc.any(odd).as_py():
        return texts
    doubled = pc.replace_substring(texts, '"', '""')
    return pc.if_else(odd, pc.binary_join_element_wise('"', doubled, '"', ""), texts)


def rows_of(fields: list[pa.Array]) -> bytes:
    """Returns the rows that these fields are, each with its LF."""
    if len(fields) == 1:  # a blank line would not be a row
        fields = [pc.fill_null(fields[0], '""')]
    rows = pc.binary_join_element_wise(*fields, ",", null_handling="replace", null_replacement="")
    rows = pc.binary_join_element_wise(rows, "\n", "")
    return b"".join(row.as_buffer().to_pybytes() for row in rows) if rows.offset else _bytes_of(rows)


def _bytes_of(rows: pa.Array) -> bytes:
    _, offsets, data = rows.buffers()
    ends = memoryview(offsets).cast("i")
    return memoryview(data)[ends[0] : ends[len(rows)]].tobytes()


def _is_text(type: pa.DataType) -> bool:
    return bool(pa.types.is_string(type) or pa.types.is_large_string(type) or pa.types.is_string_view(type))


def _floats(column: pa.Array) -> pa.Array:
    """Returns the shortest texts that read back the same, as Python writes them. NaN is a null, as in pandas."""
    column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    wide = pc.cast(column, pa.float64())
    if column.type == pa.float16():
        column = wide
    texts = pc.cast(column, pa.string())
    if column.type == pa.float32():
        read_back = pc.cast(pc.cast(pc.cast(texts, pa.float64()), pa.float32(), safe=False), pa.float64())
        texts = pc.if_else(pc.equal(read_back, wide), texts, pc.cast(wide, pa.string()))
    return pc.replace_substring_regex(texts, r"^(-?[0-9]+)$", r"\1.0")


def _dates(column: pa.Array) -> pa.Array:
    """Returns dates as ISO 8601, without fractions of seconds that are zero."""
    return pc.replace_substring_regex(pc.cast(column, pa.string()), r"\.0+(Z?)$", r"\1")


def _feature_dates(column: pa.Array, name: str, feature: Feature) -> pa.Array:
    format = feature.date_format or _ISO
    values: pd.Series[Any] = pd.to_datetime(column.to_pandas())
    texts = values.dt.strftime(format)
    read_back = pd.to_datetime(texts, format=format, errors="coerce")
    lost = values.notna() & (read_back.isna() | (read_back != values))
    if lost.any():
        first = values[lost].iloc[0]
        raise WrongColumnType.at(
            f"column {name!r}",
            f"has {first.isoformat()}, but the model was registered with dates of the form {format}, which cannot "
            "express it: round the column, or write it as text in that form",
        )
    return pa.array(texts, pa.string(), from_pandas=True)
