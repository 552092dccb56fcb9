"""JSON into rows: a single row's values, or the CSV that a batch is made of, whatever form it came in."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rowcast.csv.write import csv_row
from rowcast.errors import BodyShape, NotJson, RowValues, TooLarge
from rowcast.models.model_manifest import Manifest
from rowcast.models.row_values import csv_value, row_values
from rowcast.models.valid_names import shown

MAX_INSTANCES = 10_000

_BOM = b"\xef\xbb\xbf"


def parse(text: bytes, where: str = "The body") -> Any:
    """Strict JSON: UTF-8, no NaN, no Infinity, no key twice in one object, no half of a surrogate pair.

    Raises:
        NotJson: it is none, or nested deeper than Python can follow.
    """
    try:
        value = _STRICT.decode(text.removeprefix(_BOM).decode())
        return _of_whole_characters(value) if b"\\u" in text else value
    except UnicodeDecodeError as error:
        raise NotJson(f"{where} is not UTF-8: the byte at offset {error.start} does not fit.") from None
    except RecursionError:
        raise NotJson(f"{where} is nested too deeply.") from None
    except ValueError as error:
        raise NotJson(f"{where} is not JSON: {error}.") from None


def instances_csv(instances: Any, manifest: Manifest) -> bytes:
    """The rows of `instances` as a CSV: the model's features, then the other columns of the first object.

    Raises:
        BodyShape, RowValues: naming the entries that do not fit.
    """
    if not isinstance(instances, list) or not 1 <= len(instances) <= MAX_INSTANCES:
        raise BodyShape.at("instances", f"takes a list of 1 to {MAX_INSTANCES} rows")
    known = set(manifest.feature_names)
    first = next((row for row in instances if isinstance(row, Mapping)), {})
    carried = [name for name in first if name not in known]
    lines = [csv_row([*manifest.feature_names, *carried])]
    for index, row in enumerate(instances):
        features, others = _features_and_others(row, manifest, known)
        for name in others:
            if name not in first:
                raise RowValues.at(f"instances[{index}].{name}", "unknown, and the first object has no such column")
        values = row_values(features, manifest, f"instances[{index}]")
        cells = [csv_value(value, feature) for value, feature in zip(values, manifest.features, strict=True)]
        lines.append(csv_row([*cells, *(others.get(name) for name in carried)]))
    return b"".join(lines)


def _features_and_others(row: Any, manifest: Manifest, known: set[str]) -> tuple[Any, Mapping[str, Any]]:
    """A row's features and what else it has; all of it as features if one is missing, whose name may be misspelt."""
    if not isinstance(row, Mapping) or not all(name in row for name in manifest.required_names):
        return row, {}
    return {name: row[name] for name in row if name in known}, {name: row[name] for name in row if name not in known}


def ndjson_csv(blocks: Iterable[bytes], max_row_bytes: int) -> Iterator[bytes]:
    """One object a line, as a CSV: the first object's keys are its columns, a key missing later is an empty cell.

    Gives the rows of each block together: to cut a file by single rows takes longer than to read them.

    Raises:
        NotJson: a line is no JSON object. RowValues: a line has a key that the first had not.
        TooLarge: a line is over the limit.
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
                message = f"has the key {shown(unknown)}, which the first line has not"
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
    """The lines that end in each block, without their ends."""
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
    raise ValueError(f"{name} is no JSON number")


def _of_whole_characters(value: Any) -> Any:
    """The value itself; JSON can write half of a surrogate pair (RFC 8259 §8.2), which UTF-8 cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        half = f"{error.object[error.start]!r} is half of a surrogate pair and no character"
        raise ValueError(half) from None
    return value


def _refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, object_pairs_hook=_refuse_twice)
"""Made once: `json.loads` would make one for each line."""
