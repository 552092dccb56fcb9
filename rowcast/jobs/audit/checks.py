"""The checks of the audit: compares accepted jobs and rows with their outcomes, and records with stored files.

Pure: `collect.py` reads Redis and the store. A job's state and the counts of all jobs are each read at one moment. So
an audit of a running service does not report jobs that only change their state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rowcast.jobs.by_url.plan_files import PAGE_CHUNKS
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, unpack_parts, unpack_whole_plan
from rowcast.jobs.job import Job
from rowcast.jobs.job_files import SOURCE_PIECE_BYTES, name_of
from rowcast.jobs.states import Status
from rowcast.jobs.webhook.delivery import DeliveryState
from rowcast.wording.quantity import counted

ENDS = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
"""The statuses of ended jobs that have running totals."""

LIVE = (Status.QUEUED, Status.RUNNING)
"""The statuses of jobs that have not ended."""


class Count(NamedTuple):
    """A number of jobs, and the number of their rows."""

    jobs: int = 0
    rows: int = 0

    def __str__(self) -> str:
        return f"{counted(self.jobs, 'job')} ({counted(self.rows, 'row')})"


class Finding(NamedTuple):
    """An inconsistency. `job` is the job's id, or None if the finding is about all jobs."""

    job: str | None
    message: str

    def __str__(self) -> str:
        return f"job {self.job}: {self.message}" if self.job else self.message


@dataclass(frozen=True)
class Totals:
    """The counts at one moment: the running totals, the counts of live jobs, and counts of the records themselves."""

    totals: Mapping[str, int]
    """Running totals by name, for example `jobs_accepted` or `rows_failed`."""
    live: Mapping[str, int]
    """Counted number of live jobs by owner; `*` is the number of all."""
    records: Mapping[Status, Count]
    """Jobs that have a record, by status."""
    owners: Mapping[str, int]
    """Number of live jobs that have a record, by owner."""
    stale_entries: tuple[str, ...]
    """JOB/CHUNK that is leased or due although no live job has it in flight."""

    def total(self, name: str) -> Count:
        """Returns one of the totals: `accepted`, or a status in ENDS."""
        return Count(self.totals.get(f"jobs_{name}", 0), self.totals.get(f"rows_{name}", 0))

    def table(self) -> dict[str, Count]:
        """Returns the lines of the report: accepted jobs, then their statuses, which add up to the first line."""
        ended = {str(end): self.total(end) for end in ENDS}
        return {"accepted": self.total("accepted"), **ended, **{str(live): self._of(live) for live in LIVE}}

    def _of(self, status: Status) -> Count:
        return self.records.get(status, Count())

    def findings(self) -> Iterator[Finding]:
        """Returns the inconsistencies."""
        accepted, *others = self.table().values()
        accounted = Count(sum(one.jobs for one in others), sum(one.rows for one in others))
        if accepted != accounted:
            yield Finding(None, f"{accepted} were accepted, but {accounted} are accounted for.")
        for end in ENDS:
            known, total = self._of(end), self.total(end)
            if known.jobs > total.jobs or known.rows > total.rows:
                yield Finding(None, f"{known} have the status {end}, but only {total} were counted.")
        alive = sum(self._of(status).jobs for status in LIVE)
        if self.live.get("*", 0) != alive:
            yield Finding(
                None, f"{counted(alive, 'unfinished job')} found, but {self.live.get('*', 0)} counted as live."
            )
        for owner in sorted((self.live.keys() | self.owners.keys()) - {"*"}):
            live, there = self.live.get(owner, 0), self.owners.get(owner, 0)
            if live != there:
                yield Finding(
                    None, f"{counted(there, 'unfinished job')} of {owner or 'no owner'} found, but {live} counted."
                )
        for entry in sorted(set(self.stale_entries)):
            id, _, chunk = entry.rpartition("/")
            yield Finding(id, f"chunk {chunk} is leased or due, but is not in flight.")


@dataclass(frozen=True)
class JobState:
    """What Redis has about one job, read at one moment."""

    job: Job
    """The record."""
    plan: bytes
    """The table of planned chunks, as stored."""
    parts: bytes
    """The table of stored parts, as stored."""
    in_flight: frozenset[int]
    """Chunks in flight."""
    due: frozenset[int]
    """Chunks that are due for a check by upkeep."""
    is_waiting_or_leased: bool
    """Whether a single job is leased or waits for a worker; False for other jobs."""
    expires: bool
    """Whether the job has an expiry time."""
    is_delivery_due: bool
    """Whether there is a time of the next attempt to deliver the job's end to its webhook."""

    @property
    def stored(self) -> list[PartEntry]:
        """The table of parts. A part that is not stored has no rows."""
        return list(unpack_parts(self.parts, self.job.chunks_total))

    @property
    def planned(self) -> list[PlanEntry]:
        """The table of planned chunks."""
        return unpack_whole_plan(self.plan)

    def findings(self) -> Iterator[Finding]:
        """Returns the inconsistencies within Redis."""
        job = self.job
        messages = [*self._of_counts(), *self._of_flight(), *self._of_delivery()]
        if not job.is_single and job.status is not Status.EXPIRED:
            messages += [*self._of_plan(), *self._of_parts()]
        return (Finding(job.id, message) for message in messages)

    def _of_counts(self) -> Iterator[str]:
        job = self.job
        if job.rows_done > job.rows_total:
            yield f"{job.rows_done:,} of its {counted(job.rows_total, 'row')} done."
        if job.rows_failed > job.rows_done:
            yield f"{job.rows_failed} of its {job.rows_done} done rows are bad."
        if job.status is Status.SUCCEEDED and job.rows_done != job.rows_total:
            yield f"it succeeded with {job.rows_done:,} of its {counted(job.rows_total, 'row')}."
        if job.status.is_terminal and job.finished_ms is None:
            yield "it has ended, but has no end time."

    def _of_flight(self) -> Iterator[str]:
        job = self.job
        if job.status.is_terminal:
            if chunks := self.in_flight - {job.chunks_total}:  # that number stands for the Parquet file
                yield f"it has ended, but chunks {sorted(chunks)} are in flight."
            if job.status is not Status.EXPIRED and not self.expires:
                yield "it has ended, but will never expire."
            return
        not_due = ({0} if job.is_single else self.in_flight) - self.due
        if not_due:
            yield f"chunks {sorted(not_due)} are in flight, but not due for upkeep."
        if job.is_single and not self.is_waiting_or_leased:
            yield "it has not ended, but is neither leased nor waiting."
        if not job.is_single and not self.in_flight:
            yield "it has not ended, but no chunk is in flight."

    def _of_delivery(self) -> Iterator[str]:
        delivery = self.job.delivery
        is_pending = delivery is not None and delivery.state is DeliveryState.PENDING
        if is_pending and not self.is_delivery_due:
            yield "its end is not delivered to its webhook, but no attempt is due."
        if self.is_delivery_due and not is_pending:
            yield "an attempt to deliver to its webhook is due, but there is nothing to deliver."

    def _of_plan(self) -> Iterator[str]:
        planned, job = self.planned, self.job
        if len(planned) != job.chunks_total:
            yield f"the plan has {counted(len(planned), 'chunk')}, but the job has {job.chunks_total}."
        rows = sum(chunk.rows for chunk in planned)
        if rows != job.rows_total:
            yield f"the plan has {counted(rows, 'row')}, but the job has {job.rows_total}."

    def _of_parts(self) -> Iterator[str]:
        job, stored = self.job, [part for part in self.stored if part.is_stored]
        pairs = {
            "parts": (len(stored), job.chunks_done),
            "rows": (sum(part.rows for part in stored), job.rows_done),
            "bad rows": (sum(part.rows_failed for part in stored), job.rows_failed),
            "bytes": (sum(part.part_bytes for part in stored), job.part_bytes),
            "bytes of errors": (sum(part.error_bytes for part in stored), job.error_bytes),
        }
        for what, (there, known) in pairs.items():
            if there != known:
                yield f"the table of parts has {there} {what}, but {known} are counted."
        for chunk, (planned, part) in enumerate(zip(self.planned, self.stored, strict=False)):
            if part.is_stored and part.rows != planned.rows:
                yield f"part {chunk} has {counted(part.rows, 'row')}, but its chunk has {planned.rows}."
            if part.is_stored and chunk in self.in_flight:
                yield f"chunk {chunk} is done, but still in flight."

    def file_findings(self, sizes: Mapping[str, int]) -> Iterator[Finding]:
        """Returns differences between the job's files (`sizes`: name to bytes) and its record.

        A part that is not in the table is not an error: a worker may have just stored it.
        """
        job = self.job
        if job.is_single or job.status is Status.EXPIRED:
            return
        wanted = _source(job) if job.is_converting else {"header": job.spec.header_bytes}
        revisions = job.revisions
        wanted |= {
            name_of("input", chunk, revisions.get(chunk, "")): planned.input_bytes
            for chunk, planned in enumerate(self.planned)
            if job.spec.by_url is None or chunk in revisions
        }
        if job.spec.by_url is not None:
            for page in range(0, len(self.planned), PAGE_CHUNKS):
                if (name := name_of("spans", page // PAGE_CHUNKS)) not in sizes:
                    yield Finding(job.id, f"its file {name} is missing.")
        for chunk, part in enumerate(self.stored):
            if part.is_stored:
                wanted[name_of("parts", chunk, revisions.get(chunk, ""))] = part.part_bytes
            if part.error_bytes:
                wanted[name_of("errors", chunk, revisions.get(chunk, ""))] = part.error_bytes
        for name, size in wanted.items():
            if name not in sizes:
                yield Finding(job.id, f"its file {name} is missing.")
            elif sizes[name] != size:
                yield Finding(job.id, f"its file {name} has {counted(sizes[name], 'byte')}, but should have {size}.")


def _source(job: Job) -> dict[str, int]:
    """Returns the pieces of a file that is not converted yet: name to bytes.

    Files by URL are not in the store, and a file of requests is not among those of the job.
    """
    if job.spec.by_url is not None or job.spec.requests is not None:
        return {}
    length = job.spec.input.bytes if job.spec.input else 0
    starts = range(0, length, SOURCE_PIECE_BYTES)
    return {name_of("source", piece): min(SOURCE_PIECE_BYTES, length - at) for piece, at in enumerate(starts)}
