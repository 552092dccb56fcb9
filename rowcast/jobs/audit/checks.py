"""The audit: what was taken in against what came of it, by jobs and by rows, and what of it does not add up.

Pure: `collect.py` reads the books and the shelves, and here they are compared. What is read of the books is of one
moment, of one job or of all counts, so that an audit beside a running service finds no fault in what only moves.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from rowcast.jobs.chunk_tables import PLAN_ENTRY_BYTES, PartEntry, PlanEntry, unpack_parts, unpack_plan
from rowcast.jobs.job import Job
from rowcast.jobs.job_files import name_of
from rowcast.jobs.states import Status

ENDS = (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED)
"""How a job ends; each has its totals."""

LIVE = (Status.QUEUED, Status.RUNNING)
"""Where a job waits or is worked on."""


class Count(NamedTuple):
    """So many jobs, which have so many rows."""

    jobs: int = 0
    rows: int = 0

    def __str__(self) -> str:
        return f"{self.jobs} jobs ({self.rows} rows)"


class Finding(NamedTuple):
    """Something that does not add up; `job` is None where it concerns all of them."""

    job: str | None
    message: str

    def __str__(self) -> str:
        return f"job {self.job}: {self.message}" if self.job else self.message


@dataclass(frozen=True)
class Totals:
    """The counts of one moment: the running totals, those of live jobs, and what the records themselves say."""

    totals: Mapping[str, int]
    live: Mapping[str, int]
    """By owner; `*` is all."""
    records: Mapping[Status, Count]
    owners: Mapping[str, int]
    strays: tuple[str, ...]
    """JOB/CHUNK that is leased or watched though no live job has it in flight."""

    def total(self, name: str) -> Count:
        """One of the totals: `taken`, or how a job ended."""
        return Count(self.totals.get(f"jobs_{name}", 0), self.totals.get(f"rows_{name}", 0))

    def table(self) -> dict[str, Count]:
        """What was taken in, and what came of it: the lines after the first add up to it."""
        ended = {str(end): self.total(end) for end in ENDS}
        return {"taken": self.total("taken"), **ended, **{str(live): self._of(live) for live in LIVE}}

    def _of(self, status: Status) -> Count:
        return self.records.get(status, Count())

    def findings(self) -> Iterator[Finding]:
        """What does not add up."""
        taken, *others = self.table().values()
        accounted = Count(sum(one.jobs for one in others), sum(one.rows for one in others))
        if taken != accounted:
            yield Finding(None, f"{taken} were taken in, and {accounted} are accounted for.")
        for end in ENDS:
            known, total = self._of(end), self.total(end)
            if known.jobs > total.jobs or known.rows > total.rows:
                yield Finding(None, f"{known} have a record that says {end}, and only {total} were counted.")
        alive = sum(self._of(status).jobs for status in LIVE)
        if self.live.get("*", 0) != alive:
            yield Finding(None, f"{alive} jobs have not ended, and {self.live.get('*', 0)} are counted as live.")
        for owner in sorted((self.live.keys() | self.owners.keys()) - {"*"}):
            counted, there = self.live.get(owner, 0), self.owners.get(owner, 0)
            if counted != there:
                yield Finding(None, f"{there} jobs of {owner or 'nobody'} have not ended; {counted} are counted.")
        for stray in sorted(set(self.strays)):
            id, _, chunk = stray.rpartition("/")
            yield Finding(id, f"chunk {chunk} is leased or watched, and is not in flight.")


@dataclass(frozen=True)
class JobState:
    """What Redis holds of one job, all of one moment."""

    job: Job
    plan: bytes
    parts: bytes
    open: frozenset[int]
    """Chunks in flight."""
    watched: frozenset[int]
    """Those that upkeep will look at."""
    is_taken: bool
    """Of a single job: it is leased, or waits for somebody to lease it."""
    expires: bool

    @property
    def stored(self) -> list[PartEntry]:
        """The table of parts; what is not stored has no rows."""
        return list(unpack_parts(self.parts, self.job.chunks_total))

    @property
    def planned(self) -> list[PlanEntry]:
        """The plan."""
        return [unpack_plan(self.plan[at : at + PLAN_ENTRY_BYTES]) for at in range(0, len(self.plan), PLAN_ENTRY_BYTES)]

    def findings(self) -> Iterator[Finding]:
        """What does not add up within the books."""
        job = self.job
        messages = [*self._of_counts(), *self._of_flight()]
        if not job.is_single and job.status is not Status.EXPIRED:
            messages += [*self._of_plan(), *self._of_parts()]
        return (Finding(job.id, message) for message in messages)

    def _of_counts(self) -> Iterator[str]:
        job = self.job
        if job.rows_done > job.rows_total:
            yield f"{job.rows_done} rows are done, of {job.rows_total}."
        if job.rows_failed > job.rows_done:
            yield f"{job.rows_failed} rows are bad, of {job.rows_done} that are done."
        if job.status is Status.SUCCEEDED and job.rows_done != job.rows_total:
            yield f"it succeeded with {job.rows_done} of its {job.rows_total} rows."
        if job.status.is_terminal and job.finished_ms is None:
            yield "it has ended at no time."

    def _of_flight(self) -> Iterator[str]:
        job = self.job
        if job.status.is_terminal:
            if self.open:
                yield f"it has ended, and chunks {sorted(self.open)} are in flight."
            if job.status is not Status.EXPIRED and not self.expires:
                yield "it has ended, and will never expire."
            return
        unwatched = ({0} if job.is_single else self.open) - self.watched
        if unwatched:
            yield f"upkeep does not watch chunks {sorted(unwatched)}, which are in flight."
        if job.is_single and not self.is_taken:
            yield "nobody has it, and nobody will take it."
        if not job.is_single and not self.open:
            yield "it has not ended, and no chunk is in flight."

    def _of_plan(self) -> Iterator[str]:
        planned, job = self.planned, self.job
        if len(planned) != job.chunks_total:
            yield f"{len(planned)} chunks are planned, of {job.chunks_total}."
        rows = sum(chunk.rows for chunk in planned)
        if rows != job.rows_total:
            yield f"the plan has {rows} rows, of {job.rows_total}."

    def _of_parts(self) -> Iterator[str]:
        job, stored = self.job, [part for part in self.stored if part.is_stored]
        pairs = {
            "parts": (len(stored), job.chunks_done),
            "rows": (sum(part.rows for part in stored), job.rows_done),
            "bad rows": (sum(part.rows_failed for part in stored), job.rows_failed),
            "bytes": (sum(part.part_bytes for part in stored), job.part_bytes),
            "bytes of errors": (sum(part.error_bytes for part in stored), job.error_bytes),
        }
        for what, (there, counted) in pairs.items():
            if there != counted:
                yield f"the table of parts has {there} {what}, and {counted} are counted."
        for chunk, (planned, part) in enumerate(zip(self.planned, self.stored, strict=False)):
            if part.is_stored and part.rows != planned.rows:
                yield f"part {chunk} has {part.rows} rows, and its chunk {planned.rows}."
            if part.is_stored and chunk in self.open:
                yield f"chunk {chunk} is done, and in flight."

    def file_findings(self, sizes: Mapping[str, int]) -> Iterator[Finding]:
        """What of the job's files, by name and size, is not as the books say.

        A part that is not in the table may be there: of a worker that was just storing it.
        """
        job = self.job
        if job.is_single or job.status is Status.EXPIRED:
            return
        wanted = {"head": job.spec.head_bytes}
        wanted |= {name_of("input", chunk): planned.input_bytes for chunk, planned in enumerate(self.planned)}
        for chunk, part in enumerate(self.stored):
            if part.is_stored:
                wanted[name_of("parts", chunk)] = part.part_bytes
            if part.error_bytes:
                wanted[name_of("errors", chunk)] = part.error_bytes
        for name, size in wanted.items():
            if name not in sizes:
                yield Finding(job.id, f"its file {name} is gone.")
            elif sizes[name] != size:
                yield Finding(job.id, f"its file {name} has {sizes[name]} bytes, and should have {size}.")
