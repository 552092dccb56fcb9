"""The rows in the tensors of an inference request (Open Inference Protocol v2, "Tensor Data").

Nothing here knows a model but the names of its features.
"""

import math
import re
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from rowcast.errors import BodyShape, RowValues
from rowcast.wording.quantity import counted

CONTENT_TYPES = ("str", "np", "pd", "np_json", "pd_json", "datetime")
"""Values of the parameter `content_type` (MLServer) under which the data of a tensor mean themselves."""

WHERE = "rows"
"""What messages of errors call the rows of the tensors: the first is `rows[0]`."""

_FLOAT_CODES = {"FP16": "<e", "FP32": "<f", "FP64": "<d"}
_INTEGER = re.compile(r"U?INT(8|16|32|64)")

Read = Callable[[Any], Any]
"""Returns a value as its datatype has it. It raises ValueError, with what the datatype takes, if it cannot."""


@dataclass(frozen=True)
class Tensor:
    """A tensor with one value for each row, or with one row of values for each."""

    #: Its name, which may be that of a feature.
    name: str
    #: Number of rows.
    rows: int
    #: Number of values in each row; None if its shape has one dimension.
    columns: int | None
    #: The values, row by row.
    values: list[Any]


def rows_of_tensors(inputs: Any, features: Collection[str]) -> list[Any]:
    """Returns the rows of a request's `inputs`.

    One tensor that is not named like a feature, or has several columns, has the rows in the model's order. Otherwise
    each tensor is a column with the name of a feature. A value that is null stays None.

    Raises:
        BodyShape: a tensor has another form. RowValues: a value is not of its datatype.
    """
    if not isinstance(inputs, list) or not inputs:
        raise BodyShape.at("inputs", "must be a list of tensors, each with name, shape, datatype and data")
    tensors = [_read(given, f"inputs[{number}]") for number, given in enumerate(inputs)]
    first = tensors[0]
    if len(tensors) == 1 and (first.name not in features or (first.columns or 1) > 1):
        width = first.columns or 1
        return [first.values[start : start + width] for start in range(0, len(first.values), width)]
    seen: set[str] = set()
    for number, tensor in enumerate(tensors):
        where = f"inputs[{number}]"
        if (tensor.columns or 1) != 1:
            raise BodyShape.at(f"{where}.shape", "must be [n] or [n, 1], as each tensor is one feature")
        if tensor.rows != first.rows:
            there = f"has {counted(tensor.rows, 'row')}, and {first.name[:80]!r} has {first.rows}"
            raise BodyShape.at(f"{where}.shape", there)
        if tensor.name in seen:
            raise BodyShape.at(f"{where}.name", f"{tensor.name[:200]!r} is the name of another tensor, too")
        seen.add(tensor.name)
    names = [tensor.name for tensor in tensors]
    return [dict(zip(names, row, strict=True)) for row in zip(*(tensor.values for tensor in tensors), strict=True)]


def _read(given: Any, where: str) -> Tensor:
    match given:
        case {"name": str(name), "shape": list(shape), "datatype": str(datatype), "data": list(data)}:
            pass
        case {"parameters": {"binary_data_size": _}}:
            raise BodyShape.at(where, "has binary data, which is not supported: send `data` as JSON")
        case _:
            raise BodyShape.at(where, "must be an object with name (text), shape (list), datatype (text), data (list)")
    if not 1 <= len(shape) <= 2 or not all(type(size) is int and size > 0 for size in shape):
        raise BodyShape.at(f"{where}.shape", "must be [n] or [n, k], with whole numbers over 0")
    _require_known(given.get("parameters"), f"{where}.parameters")
    read = _reader(datatype, f"{where}.datatype")
    values = list(data)
    for _ in shape[1:]:
        if any(isinstance(value, list) for value in values):
            values = [one for row in values for one in (row if isinstance(row, list) else [row])]
    if len(values) != math.prod(shape):
        raise BodyShape.at(f"{where}.data", f"has {counted(len(values), 'value')}, and the shape is {shape}")
    return Tensor(name, shape[0], shape[1] if len(shape) == 2 else None, _converted(values, read, where))


def _converted(values: Sequence[Any], read: Read, where: str) -> list[Any]:
    converted = []
    for place, value in enumerate(values):
        try:
            converted.append(None if value is None else read(value))
        except ValueError as error:
            raise RowValues.at(f"{where}.data", f"value {place + 1} must be {error}") from None
    return converted


def require_object(parameters: Any, where: str) -> None:
    """Checks that parameters are an object, or null.

    Raises:
        BodyShape: they are not.
    """
    if not isinstance(parameters, Mapping | None):
        raise BodyShape.at(where, "must be an object")


def _require_known(parameters: Any, where: str) -> None:
    require_object(parameters, where)
    found = (parameters or {}).get("content_type")
    if found is not None and found not in CONTENT_TYPES:
        raise BodyShape.at(f"{where}.content_type", f"must be one of {', '.join(CONTENT_TYPES)}, or left out")


def _reader(datatype: str, where: str) -> Read:
    if datatype == "BOOL":
        return _boolean
    if datatype == "BYTES":
        return _text
    if datatype in _FLOAT_CODES:
        return partial(_float, datatype)
    if found := _INTEGER.fullmatch(datatype):
        bits = int(found[1])
        return partial(_whole, range(2**bits) if datatype[0] == "U" else range(-(2 ** (bits - 1)), 2 ** (bits - 1)))
    raise BodyShape.at(where, "must be one of BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64, BYTES")


def _boolean(value: Any) -> bool:
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    raise ValueError("true or false")


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("text")


def _whole(taken: range, value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int and value in taken:
        return value
    raise ValueError(f"a whole number from {taken.start} to {taken.stop - 1}")


def _float(datatype: str, value: Any) -> float:
    """Returns the number that the datatype holds: one of FP32 is rounded to it, as numpy does."""
    code = _FLOAT_CODES[datatype]
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            found: float = struct.unpack(code, struct.pack(code, value))[0]
        except (OverflowError, struct.error):
            found = math.inf
        if math.isfinite(found):
            return found
    raise ValueError(f"a finite number that {datatype} can hold")
