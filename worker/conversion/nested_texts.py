"""Columns that no cell can hold, as texts: lists, structs and maps as JSON, bytes as Base64, durations as pandas'."""

import base64
import datetime
import json
import math
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc


def nested_texts(column: pa.Array) -> pa.Array:
    """Returns the values as texts, without quotes; a null stays a null."""
    if _has_numbers(column.type):
        return _lists_of_numbers(column)
    texts = [None if value is None else _text(value) for value in column.to_pylist(maps_as_pydicts="lossy")]
    return pa.array(texts, pa.string())


def _text(value: Any) -> str:
    plain = _plain(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    """Returns a value as JSON has it. NaN and infinities are null there, as pandas writes them."""
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else _other_text(value)


def _other_text(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime.timedelta):
        return str(pd.Timedelta(value))
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else str(value)


def _has_numbers(type: pa.DataType) -> bool:
    if not (pa.types.is_list(type) or pa.types.is_large_list(type)):
        return False
    return bool(pa.types.is_integer(type.value_type) or pa.types.is_floating(type.value_type))


def _lists_of_numbers(column: pa.Array) -> pa.Array:
    """Returns lists of numbers, for example embeddings, without a Python object for each number."""
    values = column.flatten()
    if pa.types.is_floating(values.type):
        values = pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))
        if values.type == pa.float16():
            values = pc.cast(values, pa.float32())
    texts = pc.cast(values, pa.string())
    if pa.types.is_floating(values.type):
        texts = pc.replace_substring_regex(texts, r"^(-?[0-9]+)$", r"\1.0")
    texts = pc.fill_null(texts, "null")
    lengths = pc.fill_null(pc.list_value_length(column), 0)
    ends = pc.cumulative_sum(pc.cast(lengths, pa.int32()))
    offsets = pa.concat_arrays([pa.array([0], pa.int32()), ends])
    joined = pc.binary_join(pa.ListArray.from_arrays(offsets, texts), ",")
    texts = pc.binary_join_element_wise("[", joined, "]", "")
    return pc.if_else(column.is_null(), pa.scalar(None, pa.string()), texts)
