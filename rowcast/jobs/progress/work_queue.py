"""The queue at one moment: what waits, since when, which worker works on what, and how many rows were scored lately."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from uuid import UUID

from rowcast.jobs.chunk_tables import CONVERSION
from rowcast.jobs.records.policy import SILENT_SECONDS, THROUGHPUT_BUCKET_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField

_LOOKED_AT = 1_000
"""Chunks at the head of their line of which the oldest job is found."""

_RATE_SECONDS = 10.0
"""Shortest time over which the rate is measured; the longest is one bucket more."""


@dataclass(frozen=True)
class Work:
    """What one worker process does now."""

    #: The job of the chunk, or of the first of the rows. Empty if the caller may not see it.
    job: str
    #: Number of the chunk; None for single rows, and while it converts a file to chunks.
    chunk: int | None
    #: Number of single rows; None for a chunk or a file.
    rows: int | None


@dataclass
class Worker:
    """A worker that is online."""

    #: Host and process id of its main process, for example `host:71`.
    node: str
    #: How many worker processes it has.
    processes: int
    #: What those processes do that have something to do, by their process ids.
    work: dict[str, Work] = field(default_factory=dict)


@dataclass(frozen=True)
class QueueState:
    """The queue at one moment."""

    #: Jobs that have not ended, of all owners.
    unfinished_jobs: int
    #: Chunks that wait for a worker process. A job has only as many in line as the workers need soon.
    chunks_waiting: int
    #: Age of the oldest job among those of the waiting chunks, in seconds; None if no chunk waits.
    chunks_age_seconds: float | None
    #: Single rows that wait for a worker process.
    rows_waiting: int
    #: Age of the oldest of them, in seconds; None if no row waits.
    rows_age_seconds: float | None
    #: Rows that were scored and counted in the last minute.
    rows_last_minute: int
    #: Rows a second, over the last 10 to 15 seconds.
    rows_per_second: float
    #: The workers that are online.
    workers: list[Worker]


def read_queue(redis: RedisClient, owner: str | None) -> QueueState:
    """Returns the state of the queue. With `owner`, jobs of others are not named, but count.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    with redis_errors(), redis.pipeline(transaction=False) as pipe:
        pipe.time()
        pipe.hget(key("live"), "*")
        pipe.zcard(key("ready_chunks"))
        pipe.zrange(key("ready_chunks"), 0, _LOOKED_AT - 1)
        pipe.zrange(key("ready_models"), 0, -1)
        pipe.hgetall(key("throughput"))
        pipe.zrange(key("workers"), 0, -1, withscores=True)
        pipe.hgetall(key("leases"))
        (seconds, microseconds), live, waiting, first, models, buckets, nodes, leases = pipe.execute()
        now_ms = seconds * 1000 + microseconds / 1000
        rows_waiting, oldest_row = _rows(redis, [model.decode() for model in models])
        workers = _workers(nodes, now_ms - SILENT_SECONDS * 1000)
        _give_work(redis, workers, leases, owner)
    scored = {int(bucket): int(rows) for bucket, rows in buckets.items()}
    return QueueState(
        unfinished_jobs=int(live or 0),
        chunks_waiting=waiting,
        chunks_age_seconds=_age((member.decode().partition("/")[0] for member in first), now_ms),
        rows_waiting=rows_waiting,
        rows_age_seconds=_age(oldest_row, now_ms),
        rows_last_minute=_scored_since(scored, now_ms, 60.0)[0],
        rows_per_second=_rate(*_scored_since(scored, now_ms, _RATE_SECONDS)),
        workers=workers,
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


def _workers(nodes: list[tuple[bytes, float]], least_ms: float) -> list[Worker]:
    found = []
    for member, seen_ms in sorted(nodes):
        node, _, slots = member.decode().rpartition("#")
        if seen_ms >= least_ms:
            found.append(Worker(node, int(slots)))
    return found


def _give_work(redis: RedisClient, workers: list[Worker], leases: dict[bytes, bytes], owner: str | None) -> None:
    """Adds to each worker what its processes work on."""
    counts: Counter[str] = Counter()
    first: dict[str, tuple[str, str]] = {}
    for member, lease in leases.items():
        holder = lease.decode().partition(" ")[2]
        counts[holder] += 1
        id, _, chunk = member.decode().partition("/")
        first.setdefault(holder, (id, chunk))
    if not first:
        return
    with redis.pipeline(transaction=False) as pipe:
        for id, _ in first.values():
            pipe.hmget(key("job", id), JobField.OWNER, JobField.KIND)
        records = pipe.execute()
    by_node = {worker.node: worker for worker in workers}
    for (holder, (id, chunk)), (job_owner, kind) in zip(first.items(), records, strict=True):
        node, _, process = holder.rpartition("/")
        is_own = owner is None or (job_owner or b"").decode() == owner
        is_row = kind == b"single"
        number = None if is_row or int(chunk) == CONVERSION else int(chunk)
        work = Work(id if is_own else "", number, counts[holder] if is_row else None)
        if node in by_node:
            by_node[node].work[process] = work
