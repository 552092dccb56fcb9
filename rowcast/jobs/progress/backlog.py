"""The backlog: all work that waits or is being done and is not paused, read from Redis, for each pool of workers."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from rowcast.jobs.chunk_tables import PLAN_ENTRY_BYTES, unpack_plan
from rowcast.jobs.progress.wanted_processes import Backlog, BatchBacklog
from rowcast.jobs.records.policy import RESUMABLE_SILENCE_SECONDS, UPLOAD_ALIVE_SECONDS, UPLOAD_SILENCE_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key, pool_key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.states import Status

_ENTRIES_READ = 20_000
"""Most entries of the list of what is in flight that are read. A job has as many as its window."""

_JOBS_READ = 1_000
"""Most jobs whose records are read. If there are more, those that are read stand for the others."""

_FIELDS = (
    JobField.KIND,
    JobField.STATUS,
    JobField.MODEL,
    JobField.ROWS_DONE,
    JobField.CHUNKS,
    JobField.CHUNKS_DONE,
    JobField.CONVERTING,
    JobField.POOL,
)


class _Read(NamedTuple):
    """What was read of one unfinished job."""

    #: The job's id.
    id: str
    #: The fields `_FIELDS` of its record.
    record: Sequence[bytes | None]
    #: The last entry of its plan.
    last_entry: bytes

    @property
    def pool(self) -> str:
        return (self.record[-1] or b"").decode()


def read_backlogs(redis: RedisClient) -> dict[str, Backlog]:
    """Returns the work of this moment that is not paused, of each pool; the default pool is called ''.

    It reads some 100 bytes for each unfinished job, of at most 1,000 jobs. An upload without a chunk counts for the
    default pool.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    found = _find(redis)
    free = [one for one in found.read if not _is_paused(one.record, found.paused)]
    return {
        pool: Backlog(
            batches=[
                batch
                for batch in (_batch(one.record, one.last_entry) for one in free if one.pool == pool)
                if batch is not None
            ],
            weight=max(1.0, len(found.ids) / _JOBS_READ),
            rows_waiting=found.rows_waiting[pool],
            has_work=_has_work(found, pool, free),
            row_seconds=found.row_seconds,
        )
        for pool in found.pools
    }


@dataclass(frozen=True)
class _Found:
    """What Redis says of the work of this moment."""

    #: The pools; the default pool is ''.
    pools: list[str]
    #: Ids of the jobs in flight.
    ids: list[str]
    #: The first of them, as they were read.
    read: list[_Read]
    #: Pools with an upload that arrives.
    arriving: AbstractSet[str]
    #: Pools with chunks in their lines, if not all jobs were read.
    lined_up: AbstractSet[str]
    #: How many single rows of each model wait, of each pool.
    rows_waiting: Mapping[str, Sequence[int]]
    #: Ids of jobs of which a process holds a lease.
    held: AbstractSet[str]
    #: What is paused.
    paused: AbstractSet[str]
    #: Number of jobs that have not ended.
    live: int
    #: Seconds that a row takes, of each model.
    row_seconds: Mapping[str, float]


def _find(redis: RedisClient) -> _Found:
    with redis_errors():
        now_ms = _now_ms(redis)
        with redis.pipeline(transaction=False) as pipe:
            pipe.zrange(key("pools"), 0, -1)
            pipe.hget(key("live"), "*")
            pipe.zrange(key("due"), 0, _ENTRIES_READ - 1)
            pipe.hgetall(key("costs"))
            for silence_seconds in (UPLOAD_SILENCE_SECONDS, RESUMABLE_SILENCE_SECONDS):
                latest = now_ms + silence_seconds * 1000
                pipe.zrange(key("removing"), latest - UPLOAD_ALIVE_SECONDS * 1000, latest, byscore=True)
            pipe.hkeys(key("leases"))
            pipe.hkeys(key("paused"))
            names, live, due, costs, *uploads, leases, pauses = pipe.execute()
        pools, ids = ["", *sorted(name.decode() for name in names)], _ids_in(due)
        return _Found(
            pools=pools,
            ids=ids,
            rows_waiting=_rows_waiting(redis, pools),
            read=_records(redis, ids[:_JOBS_READ]),
            arriving=_pools_of(redis, [id.decode() for some in uploads for id in some], pools),
            lined_up=_pools_with_chunks(redis, pools[1:]) if len(ids) > _JOBS_READ else set(),
            held=set(_ids_in(leases)),
            paused={what.decode() for what in pauses},
            live=int(live or 0),
            row_seconds={model.decode(): _row_seconds(cost) for model, cost in costs.items()},
        )


def _has_work(found: _Found, pool: str, free: list[_Read]) -> bool:
    """Returns whether a pool has work that waits or is being done. `free` are the jobs that are not paused."""
    is_arriving = pool in found.arriving and not found.paused & {"all", "batch"}
    waits = any(one.pool == pool for one in free) or is_arriving or bool(found.rows_waiting[pool])
    if pool:
        runs = any(one.pool == pool and one.id in found.held for one in found.read)
        return waits or runs or pool in found.lined_up
    elsewhere = {one.id for one in found.read if one.pool}
    if found.paused:
        return waits or bool(found.held - elsewhere)
    return waits or found.live > len(elsewhere) or len(found.ids) > len(elsewhere)


def _ids_in(members: Iterable[bytes]) -> list[str]:
    """Returns each job's id once, of `JOB/CHUNK`."""
    return list(dict.fromkeys(member.decode().partition("/")[0] for member in members))


def _pools_of(redis: RedisClient, uploads: Sequence[str], pools: Sequence[str]) -> set[str]:
    """Returns the pools of uploads that arrive."""
    if len(pools) == 1 or not uploads:
        return {""} if uploads else set()
    with redis.pipeline(transaction=False) as pipe:
        for id in uploads[:_JOBS_READ]:
            pipe.hget(key("job", id), JobField.POOL)
        return {(pool or b"").decode() for pool in pipe.execute()}


def _pools_with_chunks(redis: RedisClient, pools: Sequence[str]) -> set[str]:
    """Returns the pools in whose lines chunks wait."""
    return {pool for pool in pools if redis.zcard(pool_key("owners", pool))}


def _now_ms(redis: RedisClient) -> float:
    seconds, microseconds = redis.time()
    return float(seconds) * 1000 + float(microseconds) / 1000


def _rows_waiting(redis: RedisClient, pools: Sequence[str]) -> Mapping[str, list[int]]:
    """Returns for each pool the number of rows that wait, of each model that has any."""
    with redis.pipeline(transaction=False) as pipe:
        for pool in pools:
            pipe.zrange(pool_key("models", pool), 0, -1)
        entries = pipe.execute()
    if not any(entries):
        return {pool: [] for pool in pools}
    with redis.pipeline(transaction=False) as pipe:
        for entry in (entry for some in entries for entry in some):
            pipe.llen(key("waiting", entry.decode()))
        lengths = iter(pipe.execute())
    return {pool: [next(lengths) for _ in some] for pool, some in zip(pools, entries, strict=True)}


def _records(redis: RedisClient, ids: Sequence[str]) -> list[_Read]:
    if not ids:
        return []
    with redis.pipeline(transaction=False) as pipe:
        for id in ids:
            pipe.hmget(key("job", id), list(_FIELDS))
            pipe.getrange(key("plan", id), -PLAN_ENTRY_BYTES, -1)
        answers = pipe.execute()
    return [_Read(*one) for one in zip(ids, answers[::2], answers[1::2], strict=True)]


def _is_paused(record: Sequence[bytes | None], paused: AbstractSet[str]) -> bool:
    """Returns whether a job's work is handed to no process (`lua/shared/pauses.lua`)."""
    kind, _, model, *_ = record
    versions = (model or b"").decode().split(",")
    names = {"all", (kind or b"").decode()}
    names |= {f"model {name}" for version in versions for name in (version, version.partition("@")[0])}
    return not names.isdisjoint(paused)


def _batch(record: Sequence[bytes | None], last_entry: bytes) -> BatchBacklog | None:
    """Returns what is left of a batch; None if the job is not a batch, or has gone meanwhile."""
    kind, status, model, rows_done, chunks, chunks_done, converting, _ = record
    if kind != b"batch" or model is None:
        return None
    rows_known = 0  # the record of an upload has no rows yet, but its plan grows as they arrive
    if len(last_entry) == PLAN_ENTRY_BYTES:
        last = unpack_plan(last_entry)
        rows_known = last.first_row + last.rows - 1
    if status == Status.SUCCEEDED.encode():  # its Parquet file is written, which costs about as much as scoring
        return BatchBacklog(model.decode(), rows_known, 1)
    return BatchBacklog(
        model=model.decode(),
        rows=max(0, rows_known - int(rows_done or 0)),
        chunks=max(0, int(chunks or 0) - int(chunks_done or 0)),
        is_converting=converting is not None,
    )


def _row_seconds(cost: bytes) -> float:
    rows, microseconds = (int(number) for number in cost.split())
    return microseconds / 1_000_000 / max(1, rows)
