"""Converts JSON to rows: to the values of a single row, or to the CSV of a batch."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flask import request

from api.input.request_body import read_whole
from rowcast.csv.write import csv_row
from rowcast.errors import BodyShape, NotJson, RowValues, UnsupportedType
from rowcast.jobs.request_files.strict_json import lines_of, parse
from rowcast.models.model_manifest import Kind
from rowcast.models.model_set import ModelSet
from rowcast.models.naming.valid_names import shown
from rowcast.models.row_values import csv_value, values_of_each
from rowcast.settings import Settings

MAX_INSTANCES = 10_000


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
    for lines in lines_of(blocks, max_row_bytes):
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
