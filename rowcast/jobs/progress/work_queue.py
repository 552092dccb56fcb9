"""The queue at one moment: what waits, since when, which worker works on what, and how many rows were scored lately."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from rowcast.jobs.progress.chunk_lines import chunk_lines
from rowcast.jobs.progress.online_workers import Worker, online_workers
from rowcast.jobs.records.policy import THROUGHPUT_BUCKET_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key

_LOOKED_AT = 1_000
"""Chunks at the head of each line of which the oldest job is found."""

_RATE_SECONDS = 10.0
"""Shortest time over which the rate is measured; the longest is one bucket more."""


@dataclass(frozen=True)
class QueueState:
    """The queue at one moment."""

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
    #: What is handed to no process (`all`, `batch`, `single`, `model NAME`) → since when (ms).
    paused: dict[str, int] = field(default_factory=dict)


def read_queue(redis: RedisClient, owner: str | None) -> QueueState:
    """Returns the state of the queue. With `owner`, jobs of others are not named, but count.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    with redis_errors():
        lines_of_chunks = [*chunk_lines(redis), key("parked_chunks")]
    with redis_errors(), redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.hget(key("live"), "*")
        pipe.hgetall(key("paused"))
        for line in lines_of_chunks:
            pipe.zcard(line)
            pipe.zrange(line, 0, _LOOKED_AT - 1)
        pipe.zrange(key("ready_models"), 0, -1)
        pipe.zrange(key("parked_models"), 0, -1)
        pipe.hgetall(key("throughput"))
        pipe.zrange(key("workers"), 0, -1, withscores=True)
        pipe.hgetall(key("leases"))
        pipe.zcard(key("wanted"))
        (seconds, microseconds), live, paused, *lines, models, parked_models, buckets, nodes, leases, wanted = (
            pipe.execute()
        )
        now_ms = seconds * 1000 + microseconds / 1000
        rows_waiting, oldest_row = _rows(redis, sorted({model.decode() for model in [*models, *parked_models]}))
        workers = online_workers(redis, nodes, leases, now_ms, owner)
    scored = {int(bucket): int(rows) for bucket, rows in buckets.items()}
    return QueueState(
        unfinished_jobs=int(live or 0),
        chunks_waiting=sum(lines[::2]),
        chunks_age_seconds=_age(
            (member.decode().partition("/")[0] for first in lines[1::2] for member in first), now_ms
        ),
        rows_waiting=rows_waiting,
        rows_age_seconds=_age(oldest_row, now_ms),
        rows_last_minute=_scored_since(scored, now_ms, 60.0)[0],
        rows_per_second=_rate(*_scored_since(scored, now_ms, _RATE_SECONDS)),
        wanted_processes=wanted,
        workers=workers,
        paused={what.decode(): int(since_ms) for what, since_ms in sorted(paused.items())},
    )


def _age(ids: Iterable[str], now_ms: float) -> float | None:
    """Returns the age of the oldest job, in seconds: an id begins with the time at which the job was made."""
    made_ms = min((UUID(id).int >> 80 for id in ids), default=None)
    return None if made_ms is None else max(0.0, round((now_ms - made_ms) / 1000, 1))


def _rows(redis: RedisClient, models: list[str]) -> tuple[int, list[str]]:
    """Returns how many single rows wait, and the id of the first of each model."""
    with redis.pipeline(transaction=False) as pipe:
        for model in models:
            pipe.llen(key("waiting", model))
            pipe.lindex(key("waiting", model), 0)
        answers = pipe.execute()
    return sum(answers[::2]), [id.decode() for id in answers[1::2] if id]


def _scored_since(scored: dict[int, int], now_ms: float, seconds: float) -> tuple[int, float]:
    """Returns the rows since the bucket of `seconds` ago, and the seconds since the start of that bucket."""
    bucket_ms = THROUGHPUT_BUCKET_SECONDS * 1000
    first = int((now_ms - seconds * 1000) // bucket_ms)
    return sum(rows for bucket, rows in scored.items() if bucket >= first), (now_ms - first * bucket_ms) / 1000


def _rate(rows: int, seconds: float) -> float:
    return round(rows / seconds, 1)
