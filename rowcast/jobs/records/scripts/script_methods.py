"""The Lua scripts in `lua/`, which change the records: a typed method for each. A program builds one `Scripts`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, cast

from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, RepairedChunk, pack_part, pack_plan
from rowcast.jobs.drift.drift_figures import DriftCounts
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.job_hash import fields_of
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.schema import UploadField
from rowcast.jobs.records.scripts.file_scripts import FileScripts
from rowcast.jobs.records.scripts.joined_calls import JoinedCalls
from rowcast.jobs.records.scripts.script_results import (
    AddedChunks,
    AppendedSegment,
    ClaimedDelivery,
    Committed,
    Full,
    JobRead,
    LeasedChunk,
    LeasedRows,
    Limit,
    Limits,
    Made,
    Paused,
    Repairing,
    TotalsRead,
    WaitingChunk,
)
from rowcast.jobs.records.scripts.script_runner import Argument
from rowcast.jobs.records.scripts.shadow_scripts import ShadowScripts
from rowcast.jobs.records.scripts.url_scripts import UrlScripts
from rowcast.jobs.states import Status, UploadState
from rowcast.jobs.webhook.delivery import DeliveryState
from rowcast.settings import Settings


class Scripts(UrlScripts, ShadowScripts, FileScripts):
    """Runs each script on the server, atomically. A script may be repeated if its answer was lost.

    Raises:
        Unavailable: from every method, if Redis cannot be reached or refuses work.
    """

    def __init__(self, redis: RedisClient, settings: Settings) -> None:
        super().__init__(redis, settings)
        self._submit_row = JoinedCalls(redis, self._source.of("submit_row"), settings.redis_replicas)

    # A job as a whole

    def submit(self, new: NewJob, limits: Limits) -> Made | Full:
        """Makes a job: record, indexes, counts and first messages, or nothing at all."""
        repeat = (new.repeat.digest, new.repeat.fingerprint) if new.repeat else ("", "")
        known: list[Argument] = [new.id, new.owner, *limits, *repeat]
        if new.spec.kind == "single":
            with redis_errors(self.redis):
                made = self._submit_row.call(*known, new.spec.known_as, new.spec.pool, *_flat(new))
        else:
            same = (new.sameness or "", "1" if new.sameness and new.reuses else "")
            made = self._run("submit", *known, new.plan or b"", new.rows, *same, *_flat(new))
        outcome, *rest = (word.decode() for word in made)
        return Full(cast(Limit, rest[0])) if outcome == "full" else Made(outcome, rest[0] if rest else new.id)

    def retry(self, id: str, limits: Limits) -> Literal["retried", "over", "done"] | Full:
        """Lets a batch continue. `over`: it is not a failed or cancelled batch. `done`: no chunk of it is left."""
        outcome, *rest = (word.decode() for word in self._run("retry", id, *limits))
        return Full(cast(Limit, rest[0])) if outcome == "full" else outcome

    def repair(self, id: str, limits: Limits, chunks: Sequence[RepairedChunk]) -> Repairing | Full:
        """Has chunks scored again whose bad rows were corrected.

        `over`: the job's chunks are not all done, or it has expired. `changed`: it was repaired in the same moment.
        """
        arguments = (
            item
            for chunk in chunks
            for item in (chunk.chunk, chunk.revision_before, chunk.revision, pack_plan([chunk.planned]))
        )
        outcome, *rest = (word.decode() for word in self._run("repair", id, *limits, *arguments))
        return Full(cast(Limit, rest[0])) if outcome == "full" else outcome

    def keep_receipt(self, id: str, repairs: int, receipt: str) -> str:
        """Keeps a receipt, if there is none. Returns the one that the job has; empty if the job has changed since."""
        return bytes(self._run("keep_receipt", id, repairs, receipt)).decode()

    def end_job(self, id: str, status: Status, problem: str = "") -> Literal["ended", "over", "unknown", "gone"]:
        """Cancels or fails a job; `problem` is its error as JSON. `over`: it had ended. `gone`: it was deleted."""
        outcome: Literal["ended", "over", "unknown", "gone"] = self._run("end_job", id, status, problem).decode()
        return outcome

    def delete(self, id: str) -> Literal["deleted", "unknown", "gone"]:
        """Replaces a job by a tombstone. `gone`: it was deleted before."""
        outcome: Literal["deleted", "unknown", "gone"] = self._run("delete", id).decode()
        return outcome

    def expire(self, id: str) -> bool:
        """Marks a job as expired, before its files are removed. Returns whether its status allowed that."""
        return bool(self._run("expire", id))

    def list_removable(self, most: int) -> list[str]:
        """Returns at most `most` ids of jobs and uploads that must lose their files now."""
        return [id.decode() for id in self._run("list_removable", most)]

    # An upload

    def announce_upload(self, id: str, owner: str, limits: Limits) -> Full | None:
        """Announces an upload, or that it still goes on. Returns None if there is room for its job."""
        limit: bytes = self._run("announce_upload", id, owner, *limits)
        return Full(cast(Limit, limit.decode())) if limit else None

    def add_chunks(self, id: str, chunk: int, planned: Sequence[PlanEntry], first: NewJob | None) -> AddedChunks:
        """Adds chunks from number `chunk` on, if they have not been added before."""
        known = (first.owner, *_flat(first)) if first else ()
        added = int(self._run("add_chunks", id, chunk, pack_plan(planned), *known))
        return "added" if added == 1 else "differ" if added < 0 else "unknown"

    def withdraw_upload(self, id: str) -> None:
        """Withdraws an announced upload, so that no job is made of it."""
        self._run("withdraw_upload", id)

    # A resumable upload

    def create_upload(self, id: str, owner: str, limits: Limits, fields: Mapping[UploadField, str]) -> Full | None:
        """Creates a resumable upload. Returns None if there is room for its job."""
        pairs = (item for pair in fields.items() for item in pair)
        limit: bytes = self._run("create_upload", id, owner, *limits, *pairs)
        return Full(cast(Limit, limit.decode())) if limit else None

    def hold_upload(self, id: str, token: str) -> list[bytes]:
        """Makes one request the only one that may append. Returns names and values of the upload's record."""
        return list(self._run("hold_upload", id, token))

    def append_segment(self, id: str, token: str, offset: int, length: int) -> AppendedSegment:
        """Counts a segment that is in the store."""
        outcome: AppendedSegment = self._run("append_segment", id, token, offset, length).decode()
        return outcome

    def close_upload(self, id: str, state: UploadState, job: str = "", reason: str = "") -> bool:
        """Ends a resumable upload without a job that has its id. Returns whether it was open."""
        return bool(self._run("close_upload", id, state, job, reason))

    # Work

    def take(
        self, holder: str, pool: str, most_rows: int, linger_ms: int, kinds: Sequence[str]
    ) -> LeasedRows | WaitingChunk | Literal["nothing", "lingering"]:
        """Takes the work of a pool that comes next, of the first of `kinds` (`rows`, `chunk`) that waits.

        `lingering`: no work waits, and for `linger_ms` the process is given the next row.
        """
        match self._run("take", holder, pool, most_rows, linger_ms, *kinds):
            case [b"rows", model, *rows]:
                return LeasedRows(model.decode(), [LeasedRows.row(fields) for fields in rows])
            case [b"chunk", id, chunk]:
                return WaitingChunk(id.decode(), int(chunk))
            case [b"lingering"]:
                return "lingering"
        return "nothing"

    def lease_chunk(
        self, id: str, chunk: int, holder: str, pool: str
    ) -> LeasedChunk | Literal["busy", "idle", "paused"]:
        """Leases a chunk to a process of `pool`.

        `busy`: another process holds it. `idle`: it is not in flight, or needs no process of this pool.
        """
        outcome, *rest = self._run("lease_chunk", id, chunk, holder, pool)
        if outcome == b"leased":
            attempt, entry, spec, strikes, revision, is_repaired, before = rest
            return LeasedChunk(
                int(attempt), entry, spec, int(strikes), revision.decode(), before.decode() if is_repaired else None
            )
        return cast(Literal["busy", "idle", "paused"], outcome.decode())

    def pause(self, action: Literal["pause", "resume", "read"], what: str = "") -> Paused:
        """Pauses work, or resumes it (all of it by default), and returns what is paused now."""
        running, *names = self._run("pause", action, what)
        return Paused(int(running), {name.decode(): int(ms) for name, ms in zip(names[::2], names[1::2], strict=True)})

    def renew(self, holder: str, members: Iterable[str]) -> set[str]:
        """Prolongs leases (`JOB/CHUNK`). Returns those that the holder no longer has."""
        return {lost.decode() for lost in self._run("renew", holder, *members)}

    def release(self, leases: Iterable[tuple[str, int]], strikes: int, delay_ms: int, problem: str) -> None:
        """Ends leases early: `JOB/CHUNK` and attempt of each. `problem` is the error of a job that then fails, as JSON.

        With an empty `problem` the job fails because its worker was lost.
        """
        self._run("release", strikes, delay_ms, problem, *(item for lease in leases for item in lease))

    def commit_chunk(
        self,
        id: str,
        chunk: int,
        attempt: int,
        part: PartEntry,
        summary: Mapping[str, Any],
        *,
        revision: str = "",
        cpu_us: int = 0,
        scoring_us: int = 0,
        output: bytes = b"",
        drift: DriftCounts | None = None,
    ) -> Committed:
        """Counts a part that is in the store, once. `output` is the SHA-256 of what was written to a URL.

        The profile of `drift` is sent only if Redis does not have it. `cpu_us` is the processor time that it took, in
        microseconds. `scoring_us` is what remains without the opening of models, from which the cost of a row is
        measured; 0 if it is not known.
        """
        figures = (part.rows, part.rows_failed, part.part_bytes, part.error_bytes)
        known = (json.dumps(summary), revision, cpu_us, scoring_us, output, drift.counts if drift else b"")
        arguments = (id, chunk, attempt, pack_part(part), *figures, *known)
        outcome = self._run("commit_chunk", *arguments, "").decode()
        if outcome == "unprofiled" and drift is not None:
            outcome = self._run("commit_chunk", *arguments, drift.profile).decode()
        return cast(Committed, outcome)

    def commit_rows(self, outcomes: Iterable[tuple[str, int, str, str]]) -> int:
        """Ends single jobs: id, attempt, status, and result or error as JSON. Returns how many were counted."""
        return int(self._run("commit_rows", *(item for outcome in outcomes for item in outcome)))

    def add_converted(self, id: str, attempt: int, chunk: int, planned: Sequence[PlanEntry], spec: str) -> AddedChunks:
        """Adds chunks of a file that is converted, from number `chunk` on. `unknown`: the lease is over."""
        added = int(self._run("add_converted", id, attempt, chunk, pack_plan(planned), spec))
        return "added" if added == 1 else "differ" if added < 0 else "unknown"

    def end_conversion(
        self, id: str, attempt: int, chunks: int, spec: str, cpu_us: int
    ) -> Literal["converted", "ended", "stale"]:
        """Notes that all chunks of a file are added. `ended`: the job has ended with it. `stale`: the lease is over."""
        outcome: bytes = self._run("end_conversion", id, attempt, chunks, spec, cpu_us)
        return cast(Literal["converted", "ended", "stale"], outcome.decode())

    def rescore_part(self, id: str, chunk: int) -> bool:
        """Has the part of a job that succeeded made again. Returns whether the chunk is in flight."""
        return bool(self._run("rescore_part", id, chunk))

    def request_parquet(self, id: str, lost: str) -> Literal["asked", "there", "over"]:
        """Has the Parquet file of a job that succeeded written; `lost` is the entry of one that the store lacks."""
        outcome: Literal["asked", "there", "over"] = self._run("request_parquet", id, lost).decode()
        return outcome

    def commit_parquet(self, id: str, chunk: int, attempt: int, repairs: int, entry: str) -> bool:
        """Notes a Parquet file that is in the store. Returns False if the lease is over or the result has changed."""
        return bool(self._run("commit_parquet", id, chunk, attempt, repairs, entry))

    # Webhooks

    def claim_deliveries(self, most: int) -> list[ClaimedDelivery]:
        """Takes at most `most` deliveries that are due. Each is due again after a while if it is not settled."""
        read = iter(self._run("claim_deliveries", most))
        return [
            ClaimedDelivery(id.decode(), int(end), int(attempt), token.decode())
            for id, end, attempt, token in zip(read, read, read, read, strict=True)
        ]

    def settle_delivery(
        self, claimed: ClaimedDelivery, state: DeliveryState, attempt: str = "", delay_ms: int = 0
    ) -> DeliveryState | None:
        """Notes what became of a claimed delivery. Returns None if the claim is over, so that nothing was noted.

        `attempt` is JSON; it is empty if none was made, which is then not counted. A pending one is due in `delay_ms`.
        If that is more than a day after the end of the job, it is given up, and the state is `failed`.
        """
        noted: bytes = self._run("settle_delivery", claimed.id, claimed.token, state, attempt, delay_ms)
        return DeliveryState(noted.decode()) if noted else None

    # Upkeep and audit

    def run_out(self, leases: Iterable[tuple[str, int, int]]) -> int:
        """Ends leases now that were not renewed: `JOB/CHUNK`, attempt, time of the end (ms). Returns how many."""
        return int(self._run("run_out", *(item for lease in leases for item in lease)))

    def resend(self, most: int) -> list[str]:
        """Offers work again that is due, at most `most` chunks and rows. Returns the job's id for each one."""
        return [id.decode() for id in self._run("resend", most)]

    def fail_late(self, most: int) -> list[str]:
        """Fails jobs that have not ended in the time that `expires_in` allows, at most `most`. Returns their ids."""
        return [id.decode() for id in self._run("fail_late", most)]

    def want_processes(self, number: int, kept_seconds: float, pool: str = "") -> int:
        """Notes how many processes of a pool are worth having. Returns the highest number of the last seconds."""
        return int(self._run("want_processes", pool, number, int(kept_seconds * 1000)))

    def audit_totals(self) -> TotalsRead:
        """Reads all counts at one moment."""
        return TotalsRead(*self._run("audit_totals"))

    def audit_jobs(self, ids: Iterable[str]) -> list[JobRead]:
        """Reads everything about each job at one moment, but each of them at another one."""
        return [JobRead(*read) for read in self._run_each("audit_job", ((id,) for id in ids))]


def _flat(new: NewJob) -> list[Argument]:
    """Returns names and values of a new record's fields, one after the other."""
    return [item for pair in fields_of(new).items() for item in pair]
