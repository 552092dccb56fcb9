"""The first rows of a result, and the first bad rows, as a page shows them."""

import csv
import io
from dataclasses import dataclass, field
from itertools import islice

from api.output.result_parts import PATIENCE_SECONDS, Parts
from api.services import Services
from rowcast.errors import Restoring, ResultLost
from rowcast.jobs.job import Job

SHOWN_ROWS = 10
_READ_BYTES = 256 * 1024
_CELL_CHARACTERS = 200


@dataclass(frozen=True)
class FirstRows:
    """A table of texts. Of a result, `added` columns at the right are those that the result adds."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    added: int = 0


def first_rows(services: Services, job: Job) -> FirstRows:
    """Returns the first rows of a batch's result; none as long as the first part is not stored."""
    parts = Parts(services, job.id, min(1, job.chunks_total))
    if not parts.stored or not parts.stored[0].is_stored:
        return FirstRows()
    try:
        header = services.files.get_header(job.id)
        data = next(iter(parts.read(0, 0, PATIENCE_SECONDS)), b"")[:_READ_BYTES]
    except (FileNotFoundError, Restoring, ResultLost):
        return FirstRows()
    options = job.spec.options
    manifest = services.registry.manifest(job.spec.model.name, job.spec.model.version)
    added = options.added_columns(manifest)
    lines = _table(header + data, options.delimiter)
    if lines and lines[0] and lines[0][0].lower().startswith("sep="):
        del lines[0]
    kept = list(job.spec.input.columns) if job.spec.input else []
    columns = lines.pop(0) if options.header and lines else [*kept, *added]
    return FirstRows(columns, lines[:SHOWN_ROWS], len(added))


def bad_rows(services: Services, job: Job) -> list[list[str]]:
    """Returns the first bad rows of a batch: row, column, value and message."""
    if not job.error_bytes:
        return []
    parts = Parts(services, job.id, job.chunks_total)
    found: list[list[str]] = []
    for number, part in enumerate(parts.stored):
        if part.error_bytes and len(found) < SHOWN_ROWS:
            try:
                found += _table(parts.errors(number, PATIENCE_SECONDS), ",")
            except (FileNotFoundError, Restoring, ResultLost):
                break
    return found[:SHOWN_ROWS]


def _table(data: bytes, delimiter: str) -> list[list[str]]:
    text = io.StringIO(data.decode("utf-8-sig", "replace"), newline="")
    rows = islice(csv.reader(text, delimiter=delimiter), SHOWN_ROWS + 2)
    return [[cell[:_CELL_CHARACTERS] for cell in row] for row in rows]
