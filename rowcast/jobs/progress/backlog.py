"""The backlog: all work that waits or is being done and is not paused, read from Redis."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from rowcast.jobs.chunk_tables import PLAN_ENTRY_BYTES, unpack_plan
from rowcast.jobs.progress.wanted_processes import Backlog, BatchBacklog
from rowcast.jobs.records.policy import RESUMABLE_SILENCE_SECONDS, UPLOAD_ALIVE_SECONDS, UPLOAD_SILENCE_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
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
)


def read_backlog(redis: RedisClient) -> Backlog:
    """Returns the work of this moment that is not paused.

    It reads some 100 bytes for each unfinished job, of at most 1,000 jobs.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    with redis_errors():
        now_ms = _now_ms(redis)
        with redis.pipeline(transaction=False) as pipe:
            pipe.hget(key("live"), "*")
            pipe.zrange(key("due"), 0, _ENTRIES_READ - 1)
            pipe.zrange(key("ready_models"), 0, -1)
            pipe.hgetall(key("costs"))
            for silence_seconds in (UPLOAD_SILENCE_SECONDS, RESUMABLE_SILENCE_SECONDS):
                latest = now_ms + silence_seconds * 1000
                pipe.zcount(key("removing"), latest - UPLOAD_ALIVE_SECONDS * 1000, latest)
            pipe.hlen(key("leases"))
            pipe.hkeys(key("paused"))
            live, due, models, costs, *uploads, leases, pauses = pipe.execute()
        ids = list(dict.fromkeys(member.decode().partition("/")[0] for member in due))
        rows_waiting = _rows_waiting(redis, [model.decode() for model in models])
        read = _records(redis, ids[:_JOBS_READ])
    paused = {what.decode() for what in pauses}
    if paused:
        read = [found for found in read if not _is_paused(found[0], paused)]
        waits = read or rows_waiting or (any(uploads) and not paused & {"all", "batch"})
        has_work = bool(leases or waits)
    else:
        has_work = bool(int(live or 0) > 0 or due or any(uploads))
    return Backlog(
        batches=[batch for batch in (_batch(*found) for found in read) if batch is not None],
        weight=max(1.0, len(ids) / _JOBS_READ),
        rows_waiting=rows_waiting,
        has_work=has_work,
        row_seconds={model.decode(): _row_seconds(cost) for model, cost in costs.items()},
    )


def _now_ms(redis: RedisClient) -> float:
    seconds, microseconds = redis.time()
    return float(seconds) * 1000 + float(microseconds) / 1000


def _rows_waiting(redis: RedisClient, models: Sequence[str]) -> list[int]:
    if not models:
        return []
    with redis.pipeline(transaction=False) as pipe:
        for model in models:
            pipe.llen(key("waiting", model))
        return list(pipe.execute())


def _records(redis: RedisClient, ids: Sequence[str]) -> list[tuple[Sequence[bytes | None], bytes]]:
    """Returns the fields `_FIELDS` of each job, and the last entry of its plan."""
    if not ids:
        return []
    with redis.pipeline(transaction=False) as pipe:
        for id in ids:
            pipe.hmget(key("job", id), list(_FIELDS))
            pipe.getrange(key("plan", id), -PLAN_ENTRY_BYTES, -1)
        answers = pipe.execute()
    return list(zip(answers[::2], answers[1::2], strict=True))


def _is_paused(record: Sequence[bytes | None], paused: AbstractSet[str]) -> bool:
    """Returns whether a job's work is handed to no process (`lua/shared/pauses.lua`)."""
    kind, _, model, *_ = record
    versions = (model or b"").decode().split(",")
    names = {"all", (kind or b"").decode()}
    names |= {f"model {name}" for version in versions for name in (version, version.partition("@")[0])}
    return not names.isdisjoint(paused)


def _batch(record: Sequence[bytes | None], last_entry: bytes) -> BatchBacklog | None:
    """Returns what is left of a batch; None if the job is not a batch, or has gone meanwhile."""
    kind, status, model, rows_done, chunks, chunks_done, converting = record
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
