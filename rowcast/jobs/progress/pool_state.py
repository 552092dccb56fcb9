"""What waits for the workers of each pool, and since when."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from rowcast.jobs.progress.chunk_lines import chunk_lines
from rowcast.jobs.progress.online_workers import Worker
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key, pool_key

_LOOKED_AT = 1_000
"""Chunks at the head of each line of which the oldest job is found."""


@dataclass(frozen=True)
class PoolState:
    """What waits for the workers of one pool, and how many there are."""

    #: Name of the pool; empty for the default pool.
    pool: str
    #: Chunks that wait for a worker process of the pool. Those that are paused count for the default pool.
    chunks_waiting: int
    #: Age of the oldest job among those of these chunks, in seconds; None if no chunk waits.
    chunks_age_seconds: float | None
    #: Single rows that wait for a worker process of the pool, the paused ones too.
    rows_waiting: int
    #: Age of the oldest of them, in seconds; None if no row waits.
    rows_age_seconds: float | None
    #: Worker processes that are worth having for this work.
    wanted_processes: int
    #: Workers of the pool that are online.
    workers: int
    #: How many worker processes they have.
    processes: int
    #: How many of those have a lease.
    busy_processes: int

    @property
    def is_used(self) -> bool:
        """Whether the pool has a worker, or work, or had some lately."""
        return bool(self.workers or self.chunks_waiting or self.rows_waiting or self.wanted_processes)

    @property
    def lacks_worker(self) -> bool:
        """Whether work waits, and no worker takes it."""
        return not self.workers and bool(self.chunks_waiting or self.rows_waiting)


def read_pool_states(
    redis: RedisClient, pools: Sequence[str], workers: Sequence[Worker], now_ms: float
) -> list[PoolState]:
    """Returns the state of each pool; the default pool is called ''. `now_ms` is the time of Redis."""
    with redis.pipeline(transaction=False) as pipe:
        pipe.zrange(key("parked_models"), 0, -1)
        for pool in pools:
            pipe.zcard(pool_key("wanted", pool))
            pipe.zrange(pool_key("models", pool), 0, -1)
        parked, *answers = pipe.execute()
    lines = chunk_lines(redis, pools)
    lines[pools.index("")].append(key("parked_chunks"))
    states = []
    for pool, wanted, models, lines_of_pool in zip(pools, answers[::2], answers[1::2], lines, strict=True):
        entries = {entry.decode() for entry in [*models, *parked]}
        rows_waiting, oldest_rows = _rows(redis, sorted(one for one in entries if one.rpartition(":")[0] == pool))
        chunks_waiting, oldest_chunks = _chunks(redis, lines_of_pool)
        own = [worker for worker in workers if worker.pool == pool]
        states.append(
            PoolState(
                pool=pool,
                chunks_waiting=chunks_waiting,
                chunks_age_seconds=_age(oldest_chunks, now_ms),
                rows_waiting=rows_waiting,
                rows_age_seconds=_age(oldest_rows, now_ms),
                wanted_processes=wanted,
                workers=len(own),
                processes=sum(worker.processes for worker in own),
                busy_processes=sum(len(worker.work) for worker in own),
            )
        )
    return states


def _chunks(redis: RedisClient, lines: Sequence[str]) -> tuple[int, list[str]]:
    """Returns how many chunks wait, and the jobs of those at the head of each line."""
    with redis.pipeline(transaction=False) as pipe:
        for line in lines:
            pipe.zcard(line)
            pipe.zrange(line, 0, _LOOKED_AT - 1)
        answers = pipe.execute()
    return sum(answers[::2]), [member.decode().partition("/")[0] for first in answers[1::2] for member in first]


def _age(ids: Iterable[str], now_ms: float) -> float | None:
    """Returns the age of the oldest job, in seconds: an id begins with the time at which the job was made."""
    made_ms = min((UUID(id).int >> 80 for id in ids), default=None)
    return None if made_ms is None else max(0.0, round((now_ms - made_ms) / 1000, 1))


def _rows(redis: RedisClient, entries: Sequence[str]) -> tuple[int, list[str]]:
    """Returns how many single rows wait, and the id of the first of each model, given the entries of a line."""
    with redis.pipeline(transaction=False) as pipe:
        for entry in entries:
            pipe.llen(key("waiting", entry))
            pipe.lindex(key("waiting", entry), 0)
        answers = pipe.execute()
    return sum(answers[::2]), [id.decode() for id in answers[1::2] if id]
