"""The queue at one moment: what waits in each pool, which worker does what, and how many rows were scored lately."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rowcast.jobs.progress.online_workers import Worker, online_workers
from rowcast.jobs.progress.pool_state import PoolState, read_pool_states
from rowcast.jobs.records.policy import THROUGHPUT_BUCKET_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key

_RATE_SECONDS = 10.0
"""Shortest time over which the rate is measured; the longest is one bucket more."""


@dataclass(frozen=True)
class QueueState:
    """The queue at one moment, of all pools together."""

    #: Jobs that have not ended, of all owners.
    unfinished_jobs: int
    #: Chunks that wait for a worker process, or are paused. A job has only as many in line as the workers need soon.
    chunks_waiting: int
    #: Age of the oldest job among those of the waiting chunks, in seconds; None if no chunk waits.
    chunks_age_seconds: float | None
    #: Single rows that wait for a worker process, or are paused.
    rows_waiting: int
    #: Age of the oldest of them, in seconds; None if no row waits.
    rows_age_seconds: float | None
    #: Rows that were scored and counted in the last minute.
    rows_last_minute: int
    #: Rows a second, over the last 10 to 15 seconds.
    rows_per_second: float
    #: Worker processes that are worth having for the work that waits, as upkeep has last counted them.
    wanted_processes: int
    #: The workers that are online.
    workers: list[Worker]
    #: Each pool, the default one first.
    pools: list[PoolState]
    #: What is handed to no process (`all`, `batch`, `single`, `model NAME`) → since when (ms).
    paused: dict[str, int] = field(default_factory=dict)

    @property
    def has_pools(self) -> bool:
        """Whether there is a pool besides the default one."""
        return len(self.pools) > 1


def read_queue(redis: RedisClient, owner: str | None, pools: Sequence[str] = ()) -> QueueState:
    """Returns the state of the queue. With `owner`, jobs of others are not named, but count.

    `pools` are those of the settings. Any other pool is in the state only if it has workers or work.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    with redis_errors():
        with redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hget(key("live"), "*")
            pipe.hgetall(key("paused"))
            pipe.hgetall(key("throughput"))
            pipe.zrange(key("workers"), 0, -1, withscores=True)
            pipe.hgetall(key("leases"))
            pipe.zrange(key("pools"), 0, -1)
            (seconds, microseconds), live, paused, buckets, nodes, leases, names = pipe.execute()
        now_ms = seconds * 1000 + microseconds / 1000
        workers = online_workers(redis, nodes, leases, now_ms, owner)
        known = sorted({*pools, *(name.decode() for name in names)})
        read = read_pool_states(redis, ["", *known], workers, now_ms)
    scored = {int(bucket): int(rows) for bucket, rows in buckets.items()}
    return QueueState(
        unfinished_jobs=int(live or 0),
        chunks_waiting=sum(pool.chunks_waiting for pool in read),
        chunks_age_seconds=_oldest(pool.chunks_age_seconds for pool in read),
        rows_waiting=sum(pool.rows_waiting for pool in read),
        rows_age_seconds=_oldest(pool.rows_age_seconds for pool in read),
        rows_last_minute=_scored_since(scored, now_ms, 60.0)[0],
        rows_per_second=_rate(*_scored_since(scored, now_ms, _RATE_SECONDS)),
        wanted_processes=sum(pool.wanted_processes for pool in read),
        workers=workers,
        pools=[one for one in read if one.pool in ("", *pools) or one.is_used],
        paused={what.decode(): int(since_ms) for what, since_ms in sorted(paused.items())},
    )


def _oldest(ages: Iterable[float | None]) -> float | None:
    return max((age for age in ages if age is not None), default=None)


def _scored_since(scored: dict[int, int], now_ms: float, seconds: float) -> tuple[int, float]:
    """Returns the rows since the bucket of `seconds` ago, and the seconds since the start of that bucket."""
    bucket_ms = THROUGHPUT_BUCKET_SECONDS * 1000
    first = int((now_ms - seconds * 1000) // bucket_ms)
    return sum(rows for bucket, rows in scored.items() if bucket >= first), (now_ms - first * bucket_ms) / 1000


def _rate(rows: int, seconds: float) -> float:
    return round(rows / seconds, 1)
