"""The chunks of a batch: state, worker, attempts and time of each; or groups of chunks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from rowcast.jobs.chunk_tables import (
    HISTORY_ENTRY_BYTES,
    PART_ENTRY_BYTES,
    PLAN_ENTRY_BYTES,
    HistoryEntry,
    PartEntry,
    attempt_counts,
    part_counts,
    unpack_history,
    unpack_parts,
    unpack_whole_plan,
)
from rowcast.jobs.job import Job
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.states import Status

State = Literal["waiting", "running", "done", "failed", "dropped"]
"""`failed`: its strikes failed the job. `dropped`: it was not scored, because the job ended before."""


@dataclass(frozen=True)
class ChunkProgress:
    """One chunk of a batch at one moment."""

    #: Number of the chunk, from 0.
    chunk: int
    #: Number of its first row, from 1.
    first_row: int
    #: Number of its rows.
    rows: int
    #: Whether it waits, is being scored, or is done.
    state: State
    #: Bad rows among them; 0 until it is done.
    rows_failed: int
    #: How often it was tried.
    attempts: int
    #: The worker process that has it or had it, `NODE/PID`; None if there is none or it is not known.
    worker: str | None
    #: Time that it took, or takes so far; None if it waits, or the time is not known.
    seconds: float | None


@dataclass(frozen=True)
class ChunkGroup:
    """Chunks of a batch that follow each other, at one moment."""

    #: Number of the first chunk, from 0.
    first: int
    #: Number of the last one.
    last: int
    #: How many are done.
    done: int
    #: How many are being scored.
    running: int
    #: Bad rows among those that are done.
    rows_failed: int
    #: How many were tried more than once.
    tried_again: int
    #: Whether the job failed because of one of them.
    has_failed: bool

    @property
    def chunks(self) -> int:
        """How many chunks they are."""
        return self.last - self.first + 1


class _Flight(NamedTuple):
    """A chunk in flight. `worker` is None if it waits, and `since_ms` too if it was not leased before."""

    attempts: int
    since_ms: int | None
    worker: str | None


class _Tables(NamedTuple):
    """What Redis has of some chunks."""

    plan: bytes
    parts: bytes
    history: bytes
    flights: dict[int, _Flight]
    holders: dict[int, str]
    failed: int | None
    now_ms: float


def read_chunks(redis: RedisClient, job: Job, first: int, count: int) -> list[ChunkProgress]:
    """Returns `count` chunks from number `first` on, or fewer at the end. The cost does not depend on the job's size.

    A single job and one that has expired have none.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    tables = _read(redis, job, first, count)
    plan = unpack_whole_plan(tables.plan[: len(tables.plan) // PLAN_ENTRY_BYTES * PLAN_ENTRY_BYTES])
    scored = zip(plan, unpack_parts(tables.parts, len(plan)), unpack_history(tables.history, len(plan)), strict=True)
    return [
        ChunkProgress(number, planned.first_row, planned.rows, *_progress(job, number, part, history, tables))
        for number, (planned, part, history) in enumerate(scored, first)
    ]


def _progress(
    job: Job, number: int, part: PartEntry, history: HistoryEntry, tables: _Tables
) -> tuple[State, int, int, str | None, float | None]:
    if part.is_stored:
        seconds = history.took_ms / 1000 if history.attempts else None
        return "done", part.rows_failed, history.attempts, tables.holders.get(history.holder), seconds
    flight = tables.flights.get(number)
    if flight and flight.worker:
        since = None if flight.since_ms is None else max(0.0, round((tables.now_ms - flight.since_ms) / 1000, 3))
        return "running", 0, flight.attempts, flight.worker, since
    state: State = "failed" if number == tables.failed else "dropped" if job.status.is_terminal else "waiting"
    return state, 0, flight.attempts if flight else history.attempts, None, None


def read_groups(redis: RedisClient, job: Job, most: int) -> list[ChunkGroup]:
    """Returns all chunks of a batch in at most `most` groups of equal size (the last one may be smaller).

    It reads 40 bytes for each chunk: half a megabyte, and some 30 ms, for a file of 50 GiB.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    total = job.chunks_total
    if job.is_single or job.status is Status.EXPIRED or not total:  # none yet, if a worker converts the file
        return []
    tables = _read(redis, job, 0, total, planned=0)
    rows, failed = part_counts(tables.parts, total)
    attempts = attempt_counts(tables.history, total)
    size = -(-total // most)
    return [
        _group(range(first, min(first + size, total)), rows, failed, attempts, tables)
        for first in range(0, total, size)
    ]


def _group(
    numbers: range, rows: Sequence[int], failed: Sequence[int], attempts: Sequence[int], tables: _Tables
) -> ChunkGroup:
    chunks = slice(numbers.start, numbers.stop)
    tried = attempts[chunks]
    flights = [flight for number, flight in tables.flights.items() if number in numbers]
    return ChunkGroup(
        first=numbers.start,
        last=numbers.stop - 1,
        done=len(numbers) - rows[chunks].count(0),
        running=sum(flight.worker is not None for flight in flights),
        rows_failed=sum(failed[chunks]),
        tried_again=len(numbers) - tried.count(0) - tried.count(1) + sum(flight.attempts > 1 for flight in flights),
        has_failed=tables.failed in numbers,
    )


def _read(redis: RedisClient, job: Job, first: int, count: int, *, planned: int | None = None) -> _Tables:
    """Reads what Redis has of `count` chunks; of the plan only `planned` entries, or all if it is None."""

    def entries(name: str, size: int, number: int = count) -> tuple[str, int, int]:
        return key(name, job.id), first * size, max(0, (first + number) * size - 1)

    with redis_errors(), redis.pipeline(transaction=False) as pipe:
        pipe.getrange(*entries("plan", PLAN_ENTRY_BYTES, count if planned is None else planned))
        pipe.getrange(*entries("parts", PART_ENTRY_BYTES))
        pipe.getrange(*entries("history", HISTORY_ENTRY_BYTES))
        pipe.hgetall(key("in_flight", job.id))
        pipe.hgetall(key("holders", job.id))
        pipe.hget(key("job", job.id), JobField.FAILED_CHUNK)
        pipe.time()
        plan, parts, history, in_flight, holders, failed, (seconds, microseconds) = pipe.execute()
        flights = dict(_flights(redis, job.id, in_flight))
    names = {int(place): holder.decode() for holder, place in holders.items()}
    now_ms = seconds * 1000 + microseconds / 1000
    return _Tables(plan, parts, history, flights, names, None if failed is None else int(failed), now_ms)


def _flights(redis: RedisClient, id: str, in_flight: dict[bytes, bytes]) -> Iterator[tuple[int, _Flight]]:
    if not in_flight:
        return
    leases = redis.hmget(key("leases"), [f"{id}/{chunk.decode()}" for chunk in in_flight])
    for (chunk, flight), lease in zip(in_flight.items(), leases, strict=True):
        attempts, _, *since = (int(number) for number in flight.split())
        worker = lease.decode().partition(" ")[2] if lease else None
        yield int(chunk), _Flight(attempts, since[0] if since else None, worker)
