"""What a worker does to the records: takes leases, renews them, commits what it scored, releases what it cannot score.

A lease names its holder (one process) and an attempt. The attempt is a fencing token: a commit with an attempt that is
no longer the lease's changes nothing. So a chunk is counted once, even if two processes score it.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rowcast.errors import InputLost
from rowcast.jobs.chunk_tables import CONVERSION, FIRST_RANGE, PartEntry, PlanEntry, unpack_plan
from rowcast.jobs.drift.drift_figures import DriftCounts
from rowcast.jobs.job import ParquetFile, Spec
from rowcast.jobs.options import RowExtras
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key, pool_key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.scripts.script_results import Committed, LeasedRow, LeasedRows, WaitingChunk
from rowcast.tracing.origin import Origin

__all__ = [
    "ChunkLease", "ConversionLease", "Kind", "Lease", "Leases", "RowLease", "RowOutcome", "WaitingChunk", "WaitingRows",
]  # fmt: skip


@dataclass(frozen=True)
class ChunkLease:
    """The right to score one chunk, until the lease runs out."""

    #: The job's id.
    id: str
    #: Number of the chunk, from 0.
    chunk: int
    #: Number of this lease among the chunk's leases, from 1.
    attempt: int
    #: The chunk's rows and length.
    planned: PlanEntry
    #: What was asked for.
    spec: Spec
    #: Strikes against the chunk: its leases that ended with a death or an error, weighted (`policy.py`).
    strikes: int
    #: The chunk's revision; empty if its rows are as they were sent.
    revision: str = ""
    #: The revision before a repair that is not counted yet; None if the chunk is not being repaired.
    revision_before: str | None = None
    #: Whether the lease is for the Parquet file of a job that has succeeded, whose number follows the last chunk.
    is_parquet: bool = False

    @property
    def origin(self) -> Origin:
        """The HTTP request that made the job."""
        return self.spec.origin

    @property
    def member(self) -> str:
        """Its name among all leases: `JOB/CHUNK`."""
        return f"{self.id}/{self.chunk}"

    @property
    def rows(self) -> str:
        """Its rows in words, for messages: for example `rows 31 to 40`."""
        first = self.planned.first_row
        return f"rows {first} to {first + self.planned.rows - 1}"


@dataclass(frozen=True)
class RowLease:
    """The right to predict one single job's row, until the lease runs out."""

    #: The job's id.
    id: str
    #: Number of this lease among the row's leases, from 1.
    attempt: int
    #: The row's values, in the order of the model's features.
    values: list[Any]
    #: What is asked for besides the model's own prediction.
    extras: RowExtras
    #: Strikes against the row, as of a chunk. A row that has any is leased by itself.
    strikes: int
    #: The HTTP request that made the job.
    origin: Origin

    @property
    def member(self) -> str:
        """Its name among all leases: `JOB/0`."""
        return f"{self.id}/0"


@dataclass(frozen=True)
class ConversionLease:
    """The right to convert a job's file to chunks, or to plan a job by URL, until the lease runs out."""

    #: The job's id.
    id: str
    #: Number of this lease among the conversion's, from 1.
    attempt: int
    #: What was asked for.
    spec: Spec
    #: Strikes against the conversion, as against a chunk.
    strikes: int
    #: CONVERSION. Of a job by URL from FIRST_RANGE on: only one range of the files is scanned.
    chunk: int = CONVERSION

    @property
    def origin(self) -> Origin:
        """The HTTP request that made the job."""
        return self.spec.origin

    @property
    def member(self) -> str:
        """Its name among all leases."""
        return f"{self.id}/{self.chunk}"


Lease = ChunkLease | RowLease | ConversionLease


@dataclass(frozen=True)
class WaitingRows:
    """Rows of one model version that waited, and are now leased."""

    #: `NAME@VERSION`.
    model: str
    #: The leases, in the order in which the rows were submitted.
    rows: Sequence[RowLease]


Kind = Literal["rows", "chunk"]
"""The kind of work that a process asks for."""


@dataclass(frozen=True)
class RowOutcome:
    """How a single job ended."""

    #: The lease of its row.
    lease: RowLease
    #: The status that the job gets.
    status: Literal["succeeded", "failed"]
    #: The prediction (`RowResult`), or the problem.
    document: Mapping[str, Any]


class Leases:
    """Leases of one holder, `NODE/PID`, which takes only work of its pool.

    Raises:
        Unavailable: from any call, if Redis cannot be reached or refuses work.
    """

    def __init__(self, scripts: Scripts, holder: str, pool: str = "") -> None:
        self._scripts, self._redis = scripts, scripts.redis
        self.holder, self._pool = holder, pool

    def chunk(self, id: str, chunk: int) -> ChunkLease | ConversionLease | Literal["busy", "idle", "paused"]:
        """Asks for one chunk, or for the conversion of the file.

        `busy`: another process holds it. `idle`: it needs no process, because it is done or its job has ended.
        `paused`: it waits until it is resumed.
        """
        leased = self._scripts.lease_chunk(id, chunk, self.holder, self._pool)
        if isinstance(leased, str):
            return leased
        if chunk >= FIRST_RANGE:
            return ConversionLease(id, leased.attempt, Spec.read(leased.spec), leased.strikes, chunk)
        return ChunkLease(
            id,
            chunk,
            leased.attempt,
            unpack_plan(leased.plan_entry) if leased.plan_entry else PlanEntry(1, 0, 0),
            Spec.read(leased.spec),
            leased.strikes,
            leased.revision,
            leased.revision_before,
            is_parquet=not leased.plan_entry,
        )

    def take(
        self, kinds: Sequence[Kind], most_rows: int, linger_seconds: float = 0
    ) -> WaitingRows | WaitingChunk | Literal["lingering"] | None:
        """Takes the work that comes next, of the first of `kinds` that waits; at most `most_rows` rows.

        `lingering`: no work waits, and for `linger_seconds` the method `linger` returns the next row. None: no work of
        these kinds waits, or `linger_seconds` is 0.
        """
        taken = self._scripts.take(self.holder, self._pool, most_rows, int(linger_seconds * 1000), kinds)
        if isinstance(taken, LeasedRows):
            return WaitingRows(taken.model, [_row_lease(row) for row in taken.rows])
        return None if taken == "nothing" else taken

    def linger(self, seconds: float) -> WaitingRows | Literal["called"] | None:
        """Waits for the next row. `called`: other work has come, which is to be taken. None: the time is up."""
        wake = key("wake", self.holder)
        with redis_errors():
            _, word = self._redis.blpop(wake, seconds) or (wake, None)
            if word is None:
                if self._redis.zrem(pool_key("lingering", self._pool), self.holder):
                    return None
                word = self._redis.lpop(wake)  # it came at the last moment
        if not word:
            return "called"
        model, fields = json.loads(word)
        id, attempt, values, extras, strikes, origin = fields
        return WaitingRows(model, [_row_lease(LeasedRow(id, attempt, values, extras, int(strikes), origin))])

    def renew(self, members: Iterable[str]) -> set[str]:
        """Prolongs leases. Returns those that this holder no longer has: lost, or of a job that has ended."""
        return self._scripts.renew(self.holder, members)

    def commit(
        self,
        lease: ChunkLease,
        part: PartEntry,
        summary: Mapping[str, Any],
        cpu_seconds: float = 0,
        scoring_seconds: float = 0,
        *,
        output: bytes = b"",
        drift: DriftCounts | None = None,
    ) -> Committed:
        """Counts a part that is in the store. `cpu_seconds` is the processor time that it took.

        `scoring_seconds` is that time without the opening of models; 0 if unknown. `output` is the SHA-256 of what was
        written to a URL. `drift` has the part's counts.
        `ended`: the job has ended with it. `stale`: nothing was counted, as the lease is over. `rescored`: the part of
        a job that had succeeded is there again. `lost`: as `rescored`, but the part is not the same as before.
        """
        return self._scripts.commit_chunk(
            lease.id,
            lease.chunk,
            lease.attempt,
            part,
            summary,
            revision=lease.revision,
            cpu_us=round(cpu_seconds * 1_000_000),
            scoring_us=round(scoring_seconds * 1_000_000),
            output=output,
            drift=drift,
        )

    def commit_parquet(self, lease: ChunkLease, repairs: int, file: ParquetFile) -> bool:
        """Notes the Parquet file of a result after `repairs` repairs. Returns False if that is out of date."""
        return self._scripts.commit_parquet(lease.id, lease.chunk, lease.attempt, repairs, file.model_dump_json())

    def add_converted(self, lease: ConversionLease, chunk: int, planned: Sequence[PlanEntry], spec: Spec) -> bool:
        """Adds converted chunks from number `chunk` on, which are in the store. Returns False if the lease is over.

        Raises:
            InputLost: Redis knows other chunks with these numbers.
        """
        added = self._scripts.add_converted(
            lease.id, lease.attempt, chunk, planned, spec.model_dump_json(exclude_defaults=True)
        )
        if added == "differ":
            raise InputLost("Another version of a worker has converted this file in another way. Send it again.")
        return added == "added"

    def end_conversion(
        self, lease: ConversionLease, chunks: int, spec: Spec, cpu_seconds: float
    ) -> Literal["converted", "ended", "stale"]:
        """Notes that the file is converted to this many chunks. `stale`: the lease is over, and nothing was changed."""
        document = spec.model_dump_json(exclude_defaults=True)
        return self._scripts.end_conversion(lease.id, lease.attempt, chunks, document, round(cpu_seconds * 1_000_000))

    def commit_rows(self, outcomes: Sequence[RowOutcome]) -> int:
        """Ends single jobs. Returns how many were counted."""
        return self._scripts.commit_rows(
            (outcome.lease.id, outcome.lease.attempt, outcome.status, json.dumps(outcome.document))
            for outcome in outcomes
        )

    def release(
        self, leases: Sequence[Lease], problem: Mapping[str, Any], *, strikes: int, delay_seconds: float = 0
    ) -> None:
        """Ends leases early. The work is tried again after the delay; with too many strikes, its job fails."""
        members = [(lease.member, lease.attempt) for lease in leases]
        self._scripts.release(members, strikes, int(delay_seconds * 1000), json.dumps(problem))

    def release_of_holders(self, is_gone: Callable[[str], bool], *, strikes: int) -> list[str]:
        """Ends every lease of a holder that is gone. Returns them: `JOB/CHUNK` of each."""
        with redis_errors():
            leases = self._redis.hgetall(key("leases"))
        lost: list[tuple[str, int]] = []
        for member, lease in leases.items():
            attempt, _, holder = lease.decode().partition(" ")
            if is_gone(holder):
                lost.append((member.decode(), int(attempt)))
        if lost:
            self._scripts.release(lost, strikes, delay_ms=0, problem="")
        return [member for member, _ in lost]


def _row_lease(row: LeasedRow) -> RowLease:
    extras, origin = RowExtras.read(row.extras), Origin.read(row.origin)
    return RowLease(row.id, row.attempt, json.loads(row.values), extras, row.strikes, origin)
