"""How many worker processes are worth having for the work that waits. Arithmetic only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from rowcast.jobs.records.policy import CHUNK_SECONDS, GATHER_ROWS, UNMEASURED_ROW_SECONDS

MOST_WANTED = 1_000
"""The highest number that is ever wanted."""


@dataclass(frozen=True)
class BatchBacklog:
    """What is left of one batch, or of an upload whose rows are scored while they arrive."""

    #: `NAME@VERSION`, or two of them with a comma between.
    model: str
    #: Rows that are not scored yet.
    rows: int
    #: Chunks that are not scored yet, those that are being scored included.
    chunks: int
    #: Whether a worker process has to convert the file, or is converting it.
    is_converting: bool = False


@dataclass(frozen=True)
class Backlog:
    """All work at one moment."""

    #: The batches that were looked at.
    batches: Sequence[BatchBacklog] = ()
    #: For how many batches each of them stands: 1 if all were looked at.
    weight: float = 1.0
    #: Number of single rows that wait, for each model version that has any.
    rows_waiting: Sequence[int] = ()
    #: Whether there is anything to do at all: a job that has not ended, a lease, or an upload that arrives.
    has_work: bool = False
    #: Model → measured processor time of a row, in seconds.
    row_seconds: Mapping[str, float] = field(default_factory=dict)


def wanted_processes(backlog: Backlog, target_seconds: float) -> int:
    """Returns how many processes do the work in about `target_seconds`; 0 if there is none.

    There are never more than chunks and single rows, because a process takes one chunk, or rows of one model, at a
    time. While there is anything to do, at least one process is wanted.
    """
    for_batches = backlog.weight * sum(_share(one, backlog.row_seconds, target_seconds) for one in backlog.batches)
    for_rows = sum(ceil(rows / GATHER_ROWS) for rows in backlog.rows_waiting)
    # A sum of shares such as 0.1 may be a little more than it should be.
    number = ceil(round(for_batches, 6)) + for_rows
    return min(MOST_WANTED, max(number, 1 if backlog.has_work else 0))


def _share(batch: BatchBacklog, row_seconds: Mapping[str, float], target_seconds: float) -> float:
    """Returns the number of processes that do the rest of a batch in the time, as a fraction."""
    seconds = batch.rows * row_seconds.get(batch.model, UNMEASURED_ROW_SECONDS) + batch.chunks * CHUNK_SECONDS
    return min(batch.chunks, seconds / target_seconds) + (1 if batch.is_converting else 0)
