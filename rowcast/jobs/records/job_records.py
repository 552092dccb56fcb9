"""The job records in Redis: make, read, list, end, delete. What a worker does to them is in `leases.py`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rowcast.errors import BodyCutShort, JobDeleted, JobEnded, KeyReused, NotRetryable, QueueFull, UnknownJob
from rowcast.jobs.chunk_tables import PlanEntry, pack_plan
from rowcast.jobs.job import Job, Spec
from rowcast.jobs.records.redis_client import Connection, Memory, redis_errors, redis_full
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts import Scripts
from rowcast.jobs.states import Status
from rowcast.settings import Settings

IDEMPOTENCY_SECONDS = 86_400
DELETED = b"deleted"
ARRIVING = b"arriving"
"""Marks the record of a job whose input still arrives: it is worked on, and nobody knows of it yet."""

UPLOAD_SILENCE_MS = 10 * 60_000
"""An upload that stores no chunk for so long is taken for dead; one that stalls is refused long before."""

_ANY_NUMBER = 2**53
_SCAN = 200
"""Records looked at in one round trip where a list is filtered by status."""


@dataclass(frozen=True)
class Repeat:
    """What makes two requests the same: a digest of owner and Idempotency-Key, and one of all that was asked."""

    digest: str
    fingerprint: str


@dataclass(frozen=True)
class NewJob:
    """A job about to be made. `plan` is None for a single job, whose row is in `values`."""

    id: str
    owner: str
    spec: Spec
    rows: int
    chunks: int
    plan: bytes | None = None
    values: list[Any] | None = None
    repeat: Repeat | None = None
    max_errors: int | None = None

    def fields(self) -> dict[str, str | int]:
        """What the record starts with, beside its status and owner."""
        record: dict[str, str | int] = {
            "spec": self.spec.model_dump_json(exclude_defaults=True),
            "rows": self.rows,
            "chunks": self.chunks,
        }
        if self.values is None:
            if self.max_errors is not None:
                record["max_errors"] = self.max_errors
        else:
            record["values"] = json.dumps(self.values)
            record["waits_for"] = str(self.spec.model)
            extras = [name for name in ("probabilities", "scores") if getattr(self.spec.options, name)]
            if extras:
                record["extras"] = ",".join(extras)
        return record

    def queued(self) -> Job:
        """The job as it is at first."""
        fields = {name.encode(): str(value).encode() for name, value in self.fields().items()}
        return Job.from_record(self.id, fields | {b"owner": self.owner.encode(), b"status": b"queued"}, {}, 0)


class Records:
    """All that the gateway and upkeep ask of the records.

    Raises:
        Unavailable: from any call, where Redis is away or refuses work.
    """

    def __init__(self, redis: Connection, settings: Settings) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, settings)
        self._settings = settings
        self._retention_ms = int(settings.retention * 1000)
        self._still_ms = int(2000 * settings.lease_seconds)
        """How long a worker may still be storing a part of a job that is gone."""

    def make(self, new: NewJob) -> tuple[str, Literal["made", "replayed"]]:
        """Makes the job, or finds the one that the same request made before; answers its id and which it was.

        Raises:
            KeyReused: the Idempotency-Key was used with a different request.
            QueueFull: there are as many live jobs as may be, in all or of this owner.
            BodyCutShort: the upload was silent for so long that what had arrived was swept.
        """
        return self._make(new, self._most(new.owner))

    def recreate(self, new: NewJob) -> tuple[str, Literal["made", "replayed"]]:
        """As `make`, for a job that was taken before: however many there are."""
        return self._make(new, (_ANY_NUMBER, _ANY_NUMBER))

    def _make(self, new: NewJob, most: tuple[int, int]) -> tuple[str, Literal["made", "replayed"]]:
        repeat = new.repeat or Repeat("", "")
        head: list[str | int] = [new.id, new.owner, *most, repeat.digest, repeat.fingerprint, IDEMPOTENCY_SECONDS]
        fields: list[str | int] = [item for pair in new.fields().items() for item in pair]
        with redis_errors(self._redis):
            answer = self._scripts("submit", *head, new.plan or "", str(new.spec.model), *fields)
        outcome = answer[0].decode()
        if outcome == "full":
            raise self._full(answer[1].decode())
        if outcome == "swept":
            raise BodyCutShort(f"The upload was silent for {UPLOAD_SILENCE_MS // 60_000} minutes; send it again.")
        if outcome == "conflict":
            raise KeyReused(
                "This Idempotency-Key was used with a different request.",
                [{"where": "Idempotency-Key", "message": f"belongs to job {answer[1].decode()}"}],
            )
        return (answer[1].decode(), "replayed") if outcome == "replayed" else (new.id, "made")

    def get(self, id: str, owner: str | None = None) -> Job:
        """The job; with `owner`, only if it is that owner's.

        Raises:
            UnknownJob: there never was such a job, or it is somebody else's.
            JobDeleted: it was deleted.
        """
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(key("job", id))
            pipe.hgetall(key("summary", id))
            record, summary = pipe.execute()
        if not record or ARRIVING in record or (owner is not None and record[b"owner"].decode() != owner):
            raise UnknownJob(f"There is no job {id}.")
        if record[b"status"] == DELETED:
            raise JobDeleted(f"Job {id} was deleted.")
        return self._job(id, record, summary)

    def page(
        self, *, limit: int, before: str | None = None, status: Status | None = None, owner: str | None = None
    ) -> tuple[list[Job], str | None]:
        """Jobs newest first, at most `limit`, older than the id `before`; and the id to go on from, or None."""
        index = key("jobs") if owner is None else key("owned", owner)
        found: list[Job] = []
        cursor = f"({before}" if before else "+"
        while True:
            with redis_errors():
                ids = [id.decode() for id in self._redis.zrevrangebylex(index, cursor, "-", 0, _SCAN)]
                records = self._read_many(ids)
            for id, record in zip(ids, records, strict=True):
                if not record:  # expired for good: Redis dropped the record, the index still names it
                    with redis_errors():
                        self._redis.zrem(index, id)
                elif record[b"status"] != DELETED and (status is None or record[b"status"].decode() == status):
                    found.append(self._job(id, record, {}))
                    if len(found) > limit:
                        return found[:limit], found[limit - 1].id
            if len(ids) < _SCAN:
                return found, None
            cursor = f"({ids[-1]}"

    def announce_upload(self, id: str, owner: str = "") -> None:
        """Announces an upload; if it falls silent, upkeep sweeps what it stored.

        Raises:
            QueueFull: there are as many live jobs as may be, in all or of this owner.
        """
        self._expect(id, owner, *self._most(owner))

    def touch_upload(self, id: str) -> None:
        """Tells that an announced upload goes on."""
        self._expect(id, "", _ANY_NUMBER, _ANY_NUMBER)

    def add_chunks(self, id: str, chunk: int, planned: Sequence[PlanEntry], first: NewJob | None) -> bool:
        """Takes note of chunks from number `chunk` on, which are in the store: they are scored while the rest arrives.

        `first` comes with chunk 0: the job as far as it is known. Answers whether there is use in telling of the next.
        """
        fields = [item for pair in first.fields().items() for item in pair] if first else []
        with redis_errors():
            return bool(self._scripts("add_chunks", id, chunk, pack_plan(planned), *fields))

    def withdraw_upload(self, id: str) -> None:
        """Takes an announced upload back: nothing of it is left, and what a worker may just be storing is swept."""
        with redis_errors():
            self._scripts("withdraw_upload", id, self._still_ms)

    def cancel(self, id: str) -> None:
        """Cancels a job that has not ended.

        Raises:
            JobEnded: it has.
        """
        self._end(id, Status.CANCELLED, "")

    def retry(self, id: str) -> None:
        """Lets a failed or cancelled batch go on with the chunks that are not done.

        Raises:
            NotRetryable: there is nothing to go on with.
            QueueFull: as `make`.
        """
        job = self.get(id)
        with redis_errors(self._redis):
            answer = [word.decode() for word in self._scripts("retry", id, *self._most(job.owner))]
        if answer[0] == "full":
            raise self._full(answer[1])
        if answer[0] == "done":
            why = "its rows are all bad" if job.rows_failed == job.rows_total else "every chunk of it is done"
            raise NotRetryable(f"A retry of job {id} would change nothing: {why}.", job.error)
        if answer[0] == "over":
            job = self.get(id)  # as it is now: it may have been deleted in the same moment
            kind = "a single job" if job.is_single else job.status
            raise NotRetryable(f"Job {id} is {kind}; a batch that failed or was cancelled can be retried.")

    def rescore_part(self, id: str, chunk: int) -> bool:
        """Has a part of a job that succeeded made again; answers whether that is under way."""
        with redis_errors():
            return bool(self._scripts("rescore_part", id, chunk))

    def fail(self, id: str, problem: Mapping[str, Any]) -> None:
        """Ends a job as failed; one that has ended already stays as it is."""
        with redis_errors():
            self._scripts("end_job", id, Status.FAILED, json.dumps(problem))

    def delete(self, id: str) -> None:
        """Removes the record, cancelling the job if need be, and leaves a tombstone.

        Raises:
            UnknownJob: there is no such record.
            JobDeleted: it was deleted before.
        """
        with redis_errors():
            outcome = self._scripts("delete", id, 2 * self._retention_ms // 1000, self._still_ms).decode()
        _require_there(id, outcome)

    def parts(self, id: str, first: int, count: int) -> bytes:
        """The packed entries of `count` parts from number `first` on (`chunk_tables.py` reads them)."""
        with redis_errors():
            table: bytes = self._redis.getrange(key("parts", id), first * 32, (first + count) * 32 - 1)
        return table

    def check(self) -> None:
        """Asks whether Redis answers and takes jobs.

        Raises:
            RedisFull: it has reached its `maxmemory`.
        """
        with redis_errors(self._redis):
            self._redis.ping()
            memory = Memory.of(self._redis)
        if memory.is_full:
            raise redis_full(memory)

    def _expect(self, id: str, owner: str, most: int, most_owned: int) -> None:
        with redis_errors(self._redis):
            full = self._scripts("announce_upload", id, UPLOAD_SILENCE_MS, owner, most, most_owned)
        if full:
            raise self._full(full.decode())

    def _most(self, owner: str) -> tuple[int, int]:
        """How many jobs may live, in all and of the owner; without keys there is one owner, who may have all."""
        settings = self._settings
        return settings.max_jobs, settings.max_jobs_per_key if owner else settings.max_jobs

    def _full(self, whose: str) -> QueueFull:
        if whose == "owner":
            most = self._settings.max_jobs_per_key
            return QueueFull(f"This key has {most} jobs that have not ended yet (ROWCAST_MAX_JOBS_PER_KEY).", 10)
        return QueueFull(f"There are {self._settings.max_jobs} jobs that have not ended yet (ROWCAST_MAX_JOBS).", 10)

    def _end(self, id: str, status: Status, problem: str) -> None:
        with redis_errors():
            outcome = self._scripts("end_job", id, status, problem).decode()
        _require_there(id, outcome)
        if outcome == "over":
            raise JobEnded(f"Job {id} has ended already.")

    def _read_many(self, ids: list[str]) -> list[dict[bytes, bytes]]:
        with self._redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.hgetall(key("job", id))
            records: list[dict[bytes, bytes]] = pipe.execute()
        return records

    def _job(self, id: str, record: Mapping[bytes, bytes], summary: Mapping[bytes, bytes]) -> Job:
        return Job.from_record(id, record, summary, self._retention_ms)


def _require_there(id: str, outcome: str) -> None:
    if outcome == "unknown":
        raise UnknownJob(f"There is no job {id}.")
    if outcome == "gone":
        raise JobDeleted(f"Job {id} was deleted.")
