"""A result as NDJSON: one JSON object for each row, made from the CSV of the stored parts while it is sent.

A feature that is a number comes as a JSON number, exactly as it is written in the file, so no digit is lost. Every
other cell of the input is text. Predictions have their own types. A missing number, and every added cell of a bad row,
is null, and so is what JSON cannot write: infinity and NaN.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from api.input.decompression import yield_to_other_requests
from api.output.labels import label_reader
from rowcast.csv.rows import rows
from rowcast.jobs.job import Job
from rowcast.models.model_manifest import Manifest

MEDIA_TYPE = "application/x-ndjson"

_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
"""A number as JSON writes it (RFC 8259 section 6)."""

_ROWS = 500
"""Rows that are written before other requests have their turn."""

Writer = Callable[[str], str]
"""Writes a cell as JSON."""


def ndjson(parts: Iterable[bytes], job: Job, manifest: Manifest) -> Iterator[bytes]:
    """Yields the lines of a result. `parts` are the bytes of whole parts, without the header line of the result."""
    options = job.spec.options
    columns = list(job.spec.input.columns) if job.spec.input and options.output == "joined" else list(options.key)
    added = options.added_columns(manifest)
    writers = [*_input_writers(columns, manifest), *_added_writers(added, manifest)]
    if options.has_error_column:
        writers[-1] = _text_or_null
    names = [json.dumps(name, ensure_ascii=False) for name in (*columns, *added)]
    for part in parts:
        lines: list[str] = []
        for row in rows(part, options.delimiter, len(names)):
            cells = row if len(row) == len(names) else _fitted(row, len(columns), len(added))
            pairs = zip(names, writers, cells, strict=True)
            lines.append("{" + ",".join(f"{name}:{write(cell)}" for name, write, cell in pairs) + "}\n")
            if len(lines) == _ROWS:
                yield "".join(lines).encode()
                lines.clear()
                yield_to_other_requests()
        yield "".join(lines).encode()


def _fitted(row: list[str], columns: int, added: int) -> list[str]:
    """Returns the cells of a bad row with too many or too few: the first ones of the input, and empty added ones."""
    kept = row[: max(0, len(row) - added)][:columns]
    return [*kept, *[""] * (columns - len(kept) + added)]


def _input_writers(columns: Sequence[str], manifest: Manifest) -> list[Writer]:
    numbers = {feature.name for feature in manifest.features if feature.kind in ("number", "integer")}
    return [_number_or_text if name in numbers else _text for name in columns]


def _added_writers(added: Sequence[str], manifest: Manifest) -> list[Writer]:
    predictions = len(manifest.outputs) if manifest.outputs is not None else 1
    read = label_reader(manifest)

    def label(cell: str) -> str:
        value = read(cell) if cell else None
        is_written = value is not None and (not isinstance(value, float) or math.isfinite(value))
        return json.dumps(value, ensure_ascii=False) if is_written else "null"

    writers: list[Writer] = [label] * predictions
    return writers + [_number] * (len(added) - predictions)


def _text(cell: str) -> str:
    return json.dumps(cell, ensure_ascii=False)


def _text_or_null(cell: str) -> str:
    return _text(cell) if cell else "null"


def _number_or_text(cell: str) -> str:
    if not cell:
        return "null"
    return cell if _NUMBER.fullmatch(cell) else _text(cell)


def _number(cell: str) -> str:
    return cell if _NUMBER.fullmatch(cell) else "null"
