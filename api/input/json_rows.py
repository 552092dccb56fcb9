"""Converts JSON to rows: to the values of a single row, or to the CSV of a batch."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flask import request

from api.input.request_body import read_whole
from rowcast.csv.write import csv_row
from rowcast.errors import BodyShape, NotJson, RowValues, TooLarge, UnsupportedType
from rowcast.models.model_manifest import Kind
from rowcast.models.model_set import ModelSet
from rowcast.models.naming.valid_names import shown
from rowcast.models.row_values import csv_value, values_of_each
from rowcast.settings import Settings

MAX_INSTANCES = 10_000

_BOM = b"\xef\xbb\xbf"


def parse(text: bytes, where: str = "The body", *, takes_nan: bool = False) -> Any:
    """Returns the value of strict JSON: UTF-8, without NaN, Infinity, repeated keys or halves of surrogate pairs.

    `where` begins the messages of errors, for example "Line 3". With `takes_nan`, NaN is null, because numpy and pandas
    write a missing number so.

    Raises:
        NotJson: the text is not strict JSON, or is nested deeper than Python can parse.
    """
    try:
        value = (_TAKES_NAN if takes_nan else _STRICT).decode(text.removeprefix(_BOM).decode())
        return _of_whole_characters(value) if b"\\u" in text else value
    except UnicodeDecodeError as error:
        raise NotJson(f"{where} is not UTF-8: the byte at offset {error.start} is not valid.") from None
    except RecursionError:
        raise NotJson(f"{where} is nested too deeply.") from None
    except ValueError as error:
        raise NotJson(f"{where} is not JSON: {error}.") from None


def read_json(settings: Settings) -> Any:
    """Returns the JSON value that the request's body is.

    Raises:
        UnsupportedType: the content type is another one. NotJson, TooLarge: as `parse` and `read_whole`.
    """
    if request.mimetype != "application/json":
        raise UnsupportedType(f"Content-Type {request.mimetype or 'none'!r} is not supported; send application/json.")
    return parse(read_whole(settings))


def instances_csv(instances: Any, models: ModelSet, where: str = "instances") -> bytes:
    """Returns the rows of `instances` as CSV: the models' features, then the other columns of the first object.

    `where` is what the messages of errors call the list.

    Raises:
        BodyShape: `instances` is not a list of rows. RowValues: a row does not fit a model.
    """
    if not isinstance(instances, list) or not 1 <= len(instances) <= MAX_INSTANCES:
        raise BodyShape.at(where, f"must be a list of 1 to {MAX_INSTANCES} rows")
    known = set(models.feature_names)
    first = next((row for row in instances if isinstance(row, Mapping)), {})
    carried = [name for name in first if name not in known]
    lines = [csv_row([*models.feature_names, *carried])]
    for index, row in enumerate(instances):
        features, others = _features_and_others(row, models, known)
        for name in others:
            if name not in first:
                raise RowValues.at(
                    f"{where}[{index}].{name}", "is unknown: neither the model nor the first object has this column"
                )
        cells = _cells(features, models, f"{where}[{index}]")
        lines.append(csv_row([*cells, *(others.get(name) for name in carried)]))
    return b"".join(lines)


def _cells(features: Any, models: ModelSet, where: str) -> list[Any]:
    """Returns the cells of a row, in the order of `models.feature_names`.

    Raises:
        RowValues: the row does not fit a model, or no cell means to both models what the value means to each.
    """
    cells: dict[str, Any] = {}
    kinds: dict[str, Kind] = {}
    for manifest, values in zip(models.manifests, values_of_each(features, models, where), strict=True):
        for feature, value in zip(manifest.features, values, strict=True):
            name, cell = feature.name, csv_value(value, feature)
            if {feature.kind, kinds.setdefault(name, feature.kind)} == {"integer", "number"} and cell is not None:
                cells[name] = cell = int(cell) if cells[name] == int(cell) else cell  # both read 3.0 as they read 3
            known = cells.setdefault(name, cell)
            if (type(known), known) != (type(cell), cell):
                both = f"{known!r} for {models.labels[0]} and {cell!r} for {models.labels[1]}"
                raise RowValues.at(f"{where}.{name}", f"would be the cell {both}; send a job to each model")
    return list(cells.values())


def _features_and_others(row: Any, models: ModelSet, known: set[str]) -> tuple[Any, Mapping[str, Any]]:
    """Returns a row's features and its other columns.

    If a feature is missing, all columns count as features, so that the error can suggest a misspelt name.
    """
    if not isinstance(row, Mapping) or not all(name in row for name in models.required_names):
        return row, {}
    return {name: row[name] for name in row if name in known}, {name: row[name] for name in row if name not in known}


def ndjson_csv(blocks: Iterable[bytes], max_row_bytes: int) -> Iterator[bytes]:
    """Converts NDJSON, which has one object per line, to CSV.

    The keys of the first object are the columns. A key that a later object lacks is an empty cell. The rows of each
    block are yielded together, because chunking single rows is slower than reading them.

    Raises:
        NotJson: a line is not a JSON object. RowValues: a line has a key that the first line lacks.
        TooLarge: a line exceeds the limit.
    """
    columns: dict[str, None] = {}
    number = 0
    for lines in _lines(blocks, max_row_bytes):
        rows = []
        for line in lines:
            number += 1
            if not line.strip():
                continue
            row = _ndjson_row(line, number)
            if not columns:
                columns = dict.fromkeys(row)
                rows.append(csv_row(list(columns)))
            if not row.keys() <= columns.keys():
                unknown = next(name for name in row if name not in columns)
                message = f"has the key {shown(unknown)}, which the first line does not have"
                raise RowValues.at(f"line {number}", message)
            rows.append(csv_row([row.get(name) for name in columns]))
        if rows:
            yield b"".join(rows)


def _ndjson_row(line: bytes, number: int) -> Mapping[str, Any]:
    row = parse(line, f"Line {number}")
    if not isinstance(row, Mapping) or not row:
        raise NotJson(f"Line {number} is not a JSON object with keys.")
    return row


def _lines(blocks: Iterable[bytes], max_row_bytes: int) -> Iterator[list[bytes]]:
    """Yields for each block the lines that end in it, without line ends."""
    rest = bytearray()
    for block in blocks:
        first, *others = block.split(b"\n")
        rest += first
        if len(rest) > max_row_bytes:
            raise TooLarge("A line", max_row_bytes, "ROWCAST_MAX_ROW_BYTES")
        if others:
            yield [bytes(rest), *others[:-1]]
            rest = bytearray(others[-1])
    if rest:
        yield [bytes(rest)]


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def _nan_as_missing(name: str) -> Any:
    return None if name == "NaN" else _refuse_constant(name)


def _of_whole_characters(value: Any) -> Any:
    """Returns the value, if its texts can be written as UTF-8.

    JSON can write half of a surrogate pair (RFC 8259 §8.2), UTF-8 cannot.

    Raises:
        ValueError: a text contains half of a surrogate pair.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"{error.object[error.start]!r} is half of a surrogate pair and not a character"
        raise ValueError(half) from None
    return value


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice)
"""Made once, because `json.loads` would make one for each line."""

_TAKES_NAN = json.JSONDecoder(parse_constant=_nan_as_missing, object_pairs_hook=_refuse_twice)
