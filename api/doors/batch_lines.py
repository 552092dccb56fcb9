"""The lines of a batch's output file and of its error file, made of the stored parts while they are sent.

A part has for each row the custom_id, the added cells, and last what is wrong with the row.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from api.doors.batch_object import OUTPUT
from rowcast.csv.decompression import yield_to_other_requests
from rowcast.csv.rows import rows, whole_rows
from rowcast.jobs.job import Job
from rowcast.jobs.results.labels import label_reader
from rowcast.jobs.results.result_columns import added_columns
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet

_ROWS = 500
"""Rows that are written before other requests have their turn."""

_ODD = {"nan": "not a number (NaN)", "inf": "infinite", "-inf": "negative infinity"}

_LISTS = {
    "top": ("top", "class"),
    "top_probability": ("top", "probability"),
    "reason": ("explanations", "feature"),
    "contribution": ("explanations", "value"),
}
"""The list of a response to which cells of a content belong, and what they are called in it."""

Body = Callable[[Sequence[str]], dict[str, Any]]


def batch_lines(
    parts: Iterable[tuple[int, Iterable[bytes]]],
    job: Job,
    models: ModelSet,
    kind: str,
    problem_of: Callable[[str], dict[str, Any]],
) -> Iterator[bytes]:
    """Yields the lines of the file `kind`, several at a time.

    `parts` have the number of their first row and their blocks. `problem_of` returns the body for what is wrong with
    a row.
    """
    body, is_output = _body_reader(job, models), kind == OUTPUT
    for first_row, blocks in parts:
        row = first_row
        for piece in whole_rows(blocks, ","):
            found = rows(piece, ",")
            while block := list(islice(found, _ROWS)):
                lines = []
                for custom_id, *added, problem in block:
                    if is_output and not problem:
                        lines.append(_line(job, row, custom_id, 200, body(added)))
                    elif problem and not is_output:
                        lines.append(_line(job, row, custom_id, 422, problem_of(problem)))
                    row += 1
                if lines:
                    yield "".join(lines).encode()
                yield_to_other_requests()


def _line(job: Job, row: int, custom_id: str, status: int, body: dict[str, Any]) -> str:
    response = {"status_code": status, "request_id": job.spec.request_id, "body": body}
    line = {"id": f"batch_req_{job.id}_{row}", "custom_id": custom_id, "response": response, "error": None}
    return json.dumps(line, ensure_ascii=False) + "\n"


def _body_reader(job: Job, models: ModelSet) -> Body:
    """Returns the function that makes the body of a response, as `POST /predict` returns it for one row."""
    manifest = models.first
    columns = [one for one in added_columns(job.spec.options, models) if one.content != "error"]
    labels, scores = [str(one) for one in manifest.classes or []], manifest.scores or []
    read = label_reader(manifest)

    def body(cells: Sequence[str]) -> dict[str, Any]:
        predictions: list[Any] = []
        odd: list[str] = []
        found: dict[str, Any] = {"prediction": predictions}
        for column, cell in zip(columns, cells, strict=True):
            if column.content == "prediction":
                predictions.append(value := read(cell))
                if value is None and cell in _ODD:
                    odd.append(f"the prediction{_of(manifest, column.place)} is {_ODD[cell]}")
            elif column.content == "probability":
                found.setdefault("probabilities", {})[labels[column.place]] = _number(cell)
            elif column.content == "score":
                found.setdefault("scores", {})[scores[column.place]] = _number(cell)
            elif column.content == "base":
                found["explanation_base"] = _number(cell)
            else:
                list_name, name = _LISTS[column.content]
                listed = found.setdefault(list_name, [])
                if name in ("class", "feature"):
                    listed.append({name: read(cell) if name == "class" else cell})
                else:
                    listed[-1][name] = _number(cell)
        if manifest.outputs is None:
            found["prediction"] = predictions[0]
        return {**found, "warning": "; ".join(odd)} if odd else found

    return body


def _of(manifest: Manifest, place: int) -> str:
    return "" if manifest.outputs is None else f" of {manifest.outputs[place]!r}"


def _number(cell: str) -> float | None:
    value = float(cell) if cell else math.nan
    return value if math.isfinite(value) else None
