"""Repairs a batch: its bad rows are replaced by corrected ones, and their chunks are scored again.

A corrected chunk is stored under a new revision, next to the one that it replaces. One script then makes the job use
it. So an interruption changes nothing, and of two repairs at the same moment one is refused.
"""

import secrets
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import replace

from rowcast.errors import Gone, InputLost, JobExpired, NotFound, NotRepairable, QueueFull, WrongState
from rowcast.jobs import job_manifest
from rowcast.jobs.chunk_tables import PlanEntry, RepairedChunk, unpack_whole_plan
from rowcast.jobs.job import Job
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.repair.bad_rows import bad_numbers
from rowcast.jobs.repair.corrected_chunk import corrected
from rowcast.jobs.repair.corrections import Correction
from rowcast.jobs.states import Status


def require_rows(job: Job) -> None:
    """Checks that a job has a file whose rows can be corrected.

    Raises:
        JobExpired: its files were removed. NotRepairable: it is a single job, or a batch of requests.
    """
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The files of job {job.id} have expired. Send the rows again.")
    if job.is_single:
        raise NotRepairable(f"Job {job.id} is a single job. Send its row again.")
    if job.spec.requests is not None:
        raise NotRepairable(f"Job {job.id} is a batch of requests. Send the corrected lines as another batch.")


class Repair:
    """Applies corrections to one job, which has a file (`require_rows`)."""

    def __init__(self, records: Records, files: Files, job: Job) -> None:
        self._records, self._files, self._job = records, files, job
        is_whole = job.chunks_done == job.chunks_total and not job.is_converting
        self._is_done = job.status.is_terminal and is_whole

    def apply(self, corrections: Mapping[int, Correction]) -> bool:
        """Stores the corrected rows and has their chunks scored again. Returns whether they change anything.

        `corrections` has what each row becomes, by its number. If the rows are so already, because the caller repeats a
        repair whose answer was lost, the job may still be running.

        Raises:
            CorrectionFault: a row is not bad. Nothing is changed.
            NotRepairable: the job's rows are not all done, or it was repaired in the same moment.
            QueueFull: there are as many unfinished jobs as the settings allow. InputLost: a file of the job is missing.
        """
        plan = unpack_whole_plan(self._records.plan(self._job.id))
        chunks: list[RepairedChunk] = []
        try:
            for chunk, some in _by_chunk(corrections, plan).items():
                if (stored := self._store(chunk, plan[chunk], some)) is not None:
                    chunks.append(stored)
        except BaseException:
            self._withdraw(chunks)
            raise
        if not chunks:
            return False
        try:
            self._records.repair(self._job.id, chunks)
        except (WrongState, QueueFull, NotFound, Gone):
            self._withdraw(chunks)
            raise
        # After any other error the job may or may not use the new chunks, so they stay until the job's files go.
        self._keep_manifest()
        return True

    def _withdraw(self, chunks: list[RepairedChunk]) -> None:
        for one in chunks:
            self._files.delete_input(self._job.id, one.chunk, one.revision)

    def _store(self, chunk: int, planned: PlanEntry, corrections: Mapping[int, Correction]) -> RepairedChunk | None:
        """Stores a chunk with its corrections. Returns None if they change nothing."""
        job, before = self._job, self._job.revisions.get(chunk, "")
        try:
            data = self._files.get_input(job.id, chunk, before)
        except FileNotFoundError:
            raise InputLost(f"Chunk {chunk} of job {job.id} is missing from the store. Send the file again.") from None
        changed = corrected(
            data,
            corrections,
            self._bad_rows(chunk, before) if self._is_done else corrections,
            first_row=planned.first_row,
            columns=len(job.spec.input.columns) if job.spec.input else 0,
            delimiter=job.spec.options.delimiter,
        )
        if changed == data:
            return None
        if not self._is_done:
            raise NotRepairable(
                f"Job {job.id} is {job.status}; a batch whose rows are all done can be repaired.", job.error
            )
        revision = secrets.token_hex(4)
        self._files.put_input(job.id, chunk, changed, revision)
        return RepairedChunk(chunk, before, revision, planned._replace(input_bytes=len(changed)))

    def _bad_rows(self, chunk: int, revision: str) -> set[int]:
        try:
            return set(bad_numbers(self._files.get_errors(self._job.id, chunk, revision)))
        except FileNotFoundError:  # no row of the chunk is bad
            return set()

    def _keep_manifest(self) -> None:
        """Writes the manifest again, so that a job that is made again from the store has the corrected rows."""
        document = self._files.get_manifest(self._job.id)
        new = job_manifest.read(self._job.id, document) if document is not None else None
        if new is None:  # it was deleted in the same moment
            return
        job = self._records.get(self._job.id)
        plan = self._records.plan(self._job.id)
        new = replace(new, plan=plan, repairs=job.repairs, revisions=job.revisions)
        self._files.put_manifest(self._job.id, job_manifest.write(new))


def _by_chunk(corrections: Mapping[int, Correction], plan: list[PlanEntry]) -> dict[int, dict[int, Correction]]:
    """Returns the corrections of each chunk, by its number."""
    firsts = [entry.first_row for entry in plan if entry.rows]
    found: dict[int, dict[int, Correction]] = {}
    for number in sorted(corrections):
        found.setdefault(bisect_right(firsts, number) - 1, {})[number] = corrections[number]
    return found
