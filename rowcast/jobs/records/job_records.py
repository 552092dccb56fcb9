"""The job records in Redis: make, read, list, end, delete. What a worker does to them is in `leases.py`."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

from rowcast.errors import BodyCutShort, JobDeleted, JobEnded, KeyReused, NotRepairable, NotRetryable, UnknownJob
from rowcast.jobs.chunk_tables import PART_ENTRY_BYTES, RepairedChunk
from rowcast.jobs.job import Job, ParquetFile
from rowcast.jobs.job_filter import EVERY_JOB, JobFilter
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.job_hash import origin_in, read_job, status_in
from rowcast.jobs.records.live_limits import limits_of, queue_full
from rowcast.jobs.records.policy import UPLOAD_SILENCE_SECONDS
from rowcast.jobs.records.redis_client import Memory, RedisClient, redis_errors, redis_full
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField, Record, named
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.scripts.script_results import NO_LIMITS, Full, Limits
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.jobs.states import Status
from rowcast.settings import Settings
from rowcast.tracing.origin import Origin, fields_of_each

_SCAN = 200
"""Records that one round trip reads when jobs are listed."""

_MOST_SCANNED = 20_000
"""Records that one page looks at, so that a filter that takes few jobs does not hold a request for minutes."""


class Records:
    """Everything that the gateway and upkeep do to the records.

    Raises:
        Unavailable: from any call, if Redis cannot be reached or refuses work.
    """

    def __init__(self, scripts: Scripts, settings: Settings) -> None:
        self._scripts = scripts
        self._redis = scripts.redis
        self._settings = settings
        self._workers = WorkerRegistry(scripts.redis)
        self._retention_ms = int(settings.retention * 1000)

    def make(self, new: NewJob) -> tuple[str, Literal["made", "replayed", "reused"]]:
        """Makes the job, or finds the one that the same request made before, or one with the same result (`reuses`).

        Returns its id and which of the three.

        Raises:
            KeyReused: the Idempotency-Key was used with a different request.
            QueueFull: there are as many live jobs as may be, of all owners or of this one.
            BodyCutShort: the upload was silent for too long, and what had arrived was removed.
        """
        return self._make(new, limits_of(self._settings, new.owner))

    def rebuild(self, new: NewJob) -> tuple[str, Literal["made", "replayed", "reused"]]:
        """Makes the lost record of a job again. Unlike in `make`, the number of live jobs has no limit."""
        return self._make(new, NO_LIMITS)

    def _make(self, new: NewJob, limits: Limits) -> tuple[str, Literal["made", "replayed", "reused"]]:
        if new.spec.requests is not None:  # first, so that the file is not swept while the record is made
            self._scripts.hold_file(new.spec.requests.file_id, new.id)
        made = self._scripts.submit(new, limits)
        if isinstance(made, Full):
            raise queue_full(made, self._settings)
        if made.outcome == "removed":
            raise BodyCutShort(f"The upload was silent for {UPLOAD_SILENCE_SECONDS // 60} minutes; send it again.")
        if made.outcome == "conflict":
            raise KeyReused(
                "This Idempotency-Key was used with a different request.",
                [{"where": "Idempotency-Key", "message": f"belongs to job {made.id}"}],
            )
        return made.id, made.outcome

    def get(self, id: str, owner: str | None = None) -> Job:
        """Returns the job; with `owner`, only if it is that owner's.

        Raises:
            UnknownJob: there never was such a job, or it has another owner.
            JobDeleted: it was deleted.
        """
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(key("job", id))
            pipe.hgetall(key("summary", id))
            pipe.get(key("drift", id))
            pipe.hgetall(key("shadow", id))
            read, summary, drift, shadow = pipe.execute()
        record = named(read)
        is_known = bool(record) and status_in(record) is not Status.ARRIVING
        if not is_known or (owner is not None and record[JobField.OWNER].decode() != owner):
            raise UnknownJob(f"Job not found: {id}.")
        if status_in(record) is Status.DELETED:
            raise JobDeleted(f"Job {id} was deleted.")
        job = read_job(id, record, summary, self._retention_ms, drift, shadow=shadow)
        if not job.spec.pool or job.status.is_terminal:
            return job
        return replace(job, lacks_worker=not self._workers.count(job.spec.pool))

    def page(
        self, *, limit: int, before: str | None = None, taken: JobFilter = EVERY_JOB, owner: str | None = None
    ) -> tuple[list[Job], str | None]:
        """Returns jobs that `taken` takes, newest first, and the id from which the next page goes on; None at the end.

        There are at most `limit`, and only those that are older than the job `before`. There are fewer, perhaps none,
        if the filter takes few: a page looks at no more than `_MOST_SCANNED` records.
        """
        index = key("jobs") if owner is None else key("owned", owner)
        found: list[Job] = []
        newest, oldest = min(filter(None, (before, taken.newest_id())), default=None), taken.oldest_id()
        cursor, end, scanned = f"({newest}" if newest else "+", f"({oldest}" if oldest else "-", 0
        while True:
            with redis_errors():
                ids = [id.decode() for id in self._redis.zrevrangebylex(index, cursor, end, 0, _SCAN)]
                records = self._read_many(ids)
            for id, record in zip(ids, records, strict=True):
                if not record:  # the record has expired in Redis, and the index still has its id
                    with redis_errors():
                        self._redis.zrem(index, id)
                elif (job := self._taken(id, record, taken)) is not None:
                    found.append(job)
                    if len(found) > limit:
                        return found[:limit], found[limit - 1].id
            if len(ids) < _SCAN:
                return found, None
            scanned += len(ids)
            if scanned >= _MOST_SCANNED:
                return found, ids[-1]
            cursor = f"({ids[-1]}"

    def _taken(self, id: str, record: Record, taken: JobFilter) -> Job | None:
        """Returns the job of a record, if it is one that callers may see and that the filter takes."""
        status = status_in(record)
        if status.is_internal or not taken.may_match(status, record[JobField.MODEL].decode()):
            return None
        job = read_job(id, record, {}, self._retention_ms)
        return job if taken.matches(job) and not job.spec.is_check else None

    def cancel(self, id: str) -> None:
        """Cancels a job that has not ended.

        Raises:
            UnknownJob, JobDeleted: as `get`.
            JobEnded: it has ended.
        """
        outcome = self._scripts.end_job(id, Status.CANCELLED)
        _require_there(id, outcome)
        if outcome == "over":
            raise JobEnded(f"Job {id} has ended already.")

    def retry(self, id: str) -> None:
        """Lets a failed or cancelled batch continue with the chunks that are not done.

        Raises:
            NotRetryable: it is not such a job, or every chunk of it is done.
            QueueFull: as `make`.
        """
        job = self.get(id)
        outcome = self._scripts.retry(id, limits_of(self._settings, job.owner))
        if isinstance(outcome, Full):
            raise queue_full(outcome, self._settings)
        if outcome == "done":
            why = "its rows are all bad" if job.rows_failed == job.rows_total else "every chunk of it is done"
            raise NotRetryable(f"A retry of job {id} would change nothing: {why}.", job.error)
        if outcome == "over":
            job = self.get(id)  # as it is now: it may have been deleted in the same moment
            kind = "a single job" if job.is_single else job.status
            raise NotRetryable(f"Job {id} is {kind}; a batch that failed or was cancelled can be retried.")

    def repair(self, id: str, chunks: Sequence[RepairedChunk]) -> None:
        """Has chunks scored again whose bad rows were corrected. Their input is in the store.

        Raises:
            NotRepairable: the job's state does not allow it, or another repair was quicker.
            QueueFull: as `make`.
        """
        job = self.get(id)
        outcome = self._scripts.repair(id, limits_of(self._settings, job.owner), chunks)
        if isinstance(outcome, Full):
            raise queue_full(outcome, self._settings)
        if outcome == "changed":
            raise NotRepairable(f"Job {id} was repaired in the same moment. Fetch its bad rows again.")
        if outcome == "over":
            raise NotRepairable(f"Job {id} is {self.get(id).status}; a batch whose rows are all done can be repaired.")

    def keep_receipt(self, job: Job, receipt: str) -> str:
        """Keeps the receipt of a job that has succeeded. Of two, the first stays. Returns the one that is kept.

        Returns an empty text if the job was repaired or deleted, or has expired, since it was read.
        """
        return self._scripts.keep_receipt(job.id, job.repairs, receipt)

    def rescore_part(self, id: str, chunk: int) -> bool:
        """Has a part of a job that succeeded made again. Returns whether that is under way."""
        return self._scripts.rescore_part(id, chunk)

    def request_parquet(self, id: str, lost: ParquetFile | None = None) -> Literal["asked", "there", "over"]:
        """Has a worker write the result of a job as Parquet, unless the file is there or under way.

        `lost` is a file that the record names and the store does not have. `over`: the job has not succeeded.
        """
        return self._scripts.request_parquet(id, lost.model_dump_json() if lost else "")

    def fail(self, id: str, problem: Mapping[str, Any]) -> None:
        """Ends a job as failed. A job that has ended stays as it is."""
        self._scripts.end_job(id, Status.FAILED, json.dumps(problem))

    def delete(self, id: str) -> None:
        """Replaces the record by a tombstone; a live job is cancelled first.

        Raises:
            UnknownJob: there is no such record.
            JobDeleted: it was deleted before.
        """
        _require_there(id, self._scripts.delete(id))

    def plan(self, id: str) -> bytes:
        """Returns the packed plan of a batch (`chunk_tables.unpack_whole_plan` reads it); empty after its expiry."""
        with redis_errors():
            return self._redis.get(key("plan", id)) or b""

    def parts(self, id: str, first: int, count: int) -> bytes:
        """Returns the packed entries of `count` parts from number `first` on (`chunk_tables.py` reads them)."""
        start, end = first * PART_ENTRY_BYTES, (first + count) * PART_ENTRY_BYTES
        with redis_errors():
            return self._redis.getrange(key("parts", id), start, end - 1)

    def check(self) -> None:
        """Checks that Redis answers and takes jobs.

        Raises:
            RedisFull: it has reached its `maxmemory`.
        """
        with redis_errors(self._redis):
            self._redis.ping()
            memory = Memory.of(self._redis)
        if memory.is_full:
            raise redis_full(memory)

    def _read_many(self, ids: list[str]) -> list[Record]:
        with self._redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hgetall(key("job", id))
            return [named(record) for record in pipe.execute()]


def origins_of(redis: RedisClient, ids: Iterable[str]) -> list[tuple[str, Origin]]:
    """Returns each id once, with the origin of its job, for log lines. It is empty if the record is gone.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    wanted = list(dict.fromkeys(ids))
    with redis_errors(), redis.pipeline(transaction=False) as pipe:
        for id in wanted:
            pipe.hmget(key("job", id), [JobField.SPEC, JobField.ORIGIN])
        return [(id, origin_in(*found)) for id, found in zip(wanted, pipe.execute(), strict=True)]


def fields_about(redis: RedisClient, members: Iterable[str]) -> dict[str, Any]:
    """Returns the fields of a log line about jobs, given the id or `JOB/CHUNK` of each. Raises as `origins_of`."""
    return fields_of_each(origins_of(redis, (member.partition("/")[0] for member in members)))


def _require_there(id: str, outcome: str) -> None:
    if outcome == "unknown":
        raise UnknownJob(f"Job not found: {id}.")
    if outcome == "gone":
        raise JobDeleted(f"Job {id} was deleted.")
