"""The first rows of a result, and the first bad rows, as a page shows them."""

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from api.output.result_parts import PATIENCE_SECONDS, Parts
from api.services import Services
from rowcast.csv.rows import rows
from rowcast.errors import Restoring, ResultLost
from rowcast.jobs.job import Job
from rowcast.jobs.results.result_columns import added_names

SHOWN_ROWS = 10
_SHOWN_COLUMNS = 30
_READ_BYTES = 256 * 1024
_CELL_CHARACTERS = 200
_CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


@dataclass(frozen=True)
class FirstRows:
    """A table of texts. Of a result, `added` columns at the right are those that the result adds."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    added: int = 0


def first_rows(services: Services, job: Job) -> FirstRows:
    """Returns the first rows of a batch's result; none as long as the first part is not stored."""
    parts = Parts(services, job.id, min(1, job.chunks_total), job.revisions)
    if not parts.stored or not parts.stored[0].is_stored:
        return FirstRows()
    try:
        data = services.files.get_part(job.id, 0, 0, min(_READ_BYTES, parts.stored[0].part_bytes))
    except (FileNotFoundError, Restoring, ResultLost):
        return FirstRows()
    options = job.spec.options
    added = added_names(options, services.models_of(job))
    kept = job.spec.kept_columns
    columns, found = [*kept, *added], _table(data, options.delimiter, is_cut=parts.stored[0].part_bytes > _READ_BYTES)
    if len(kept) > _SHOWN_COLUMNS:
        columns, *found = [_narrow(row, len(added)) for row in (columns, *found)]
    return FirstRows(columns, found, len(added))


def _narrow(row: list[str], added: int) -> list[str]:
    """Returns the first cells and the added ones of a long row."""
    return [*row[:_SHOWN_COLUMNS], "…", *row[len(row) - added :]]


class BadCell(NamedTuple):
    """A bad row as the page shows it."""

    row: str
    column: str
    """Empty if the whole row is at fault."""
    value: str
    message: str

    @property
    def can_be_typed(self) -> bool:
        """Whether the page offers to correct the cell.

        The list of bad rows holds only the beginning of a long one. A field of a form takes no line ends and no control
        characters, so what comes back would be another text even if it was not changed.
        """
        return (
            bool(self.column) and len(self.value) < _CELL_CHARACTERS and not _CONTROLS.search(self.field + self.value)
        )

    @property
    def field(self) -> str:
        """The name of the cell's field in the form."""
        return f"{self.row}/{self.column}"


def bad_rows(services: Services, job: Job) -> list[BadCell]:
    """Returns the first bad rows of a batch."""
    if not job.error_bytes:
        return []
    parts = Parts(services, job.id, job.chunks_total, job.revisions)
    found: list[BadCell] = []
    for number, part in enumerate(parts.stored):
        if part.error_bytes and len(found) < SHOWN_ROWS:
            try:
                found += [BadCell(*row) for row in _table(parts.errors(number, PATIENCE_SECONDS), ",")]
            except (FileNotFoundError, Restoring, ResultLost):
                break
    return found[:SHOWN_ROWS]


def _table(data: bytes, delimiter: str, *, is_cut: bool = False) -> list[list[str]]:
    """Returns the first rows, with shortened cells. `is_cut` means that `data` may end within a row."""
    if is_cut:
        data = data[: data.rfind(b"\n") + 1]  # not within a character
    first = islice(rows(data, delimiter), SHOWN_ROWS)
    return [[cell[:_CELL_CHARACTERS] for cell in row] for row in first]
