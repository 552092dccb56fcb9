"""The workers that are online: what each works on, its memory, and the models that it has open."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rowcast.jobs.chunk_tables import FIRST_RANGE
from rowcast.jobs.records.policy import SILENT_SECONDS
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.records.workers import OpenModel, Registered, WorkerRegistry, WorkerState


@dataclass(frozen=True)
class Work:
    """What one worker process does now."""

    #: The job of the chunk, or of the first of the rows. Empty if the caller may not see it.
    job: str
    #: Number of the chunk; None for single rows, and while it converts a file to chunks.
    chunk: int | None
    #: Number of single rows; None for a chunk or a file.
    rows: int | None


@dataclass(frozen=True)
class HeldModel:
    """A model that a worker has open."""

    #: Its name and version, `NAME@VERSION`.
    model: str
    #: How many of the worker's processes have it open.
    processes: int
    #: Time since one of them last used it, in seconds.
    idle_seconds: float
    #: Length of its file; None if it is not known.
    file_bytes: int | None


@dataclass
class Worker:
    """A worker that is online."""

    #: Host and process id of its main process, for example `host:71`.
    node: str
    #: How many worker processes it has.
    processes: int
    #: The pool that it is in; empty for the default pool.
    pool: str = ""
    #: Time since it was started, in seconds; None if it is not known.
    uptime_seconds: float | None = None
    #: Resident memory of its main process and its worker processes; None if it is not known.
    memory_bytes: int | None = None
    #: The models that its processes have open, by name and version.
    models: list[HeldModel] = field(default_factory=list)
    #: What those processes do that have something to do, by their process ids.
    work: dict[str, Work] = field(default_factory=dict)


def online_workers(
    redis: RedisClient,
    nodes: Sequence[tuple[bytes, float]],
    leases: Mapping[bytes, bytes],
    now_ms: float,
    owner: str | None,
) -> list[Worker]:
    """Returns the workers whose last heartbeat is not too long ago.

    Args:
        redis: for their figures, and the owners of the jobs that they work on.
        nodes: members of the table of workers, and the time of the last heartbeat in milliseconds.
        leases: `JOB/CHUNK` → attempt and holder.
        now_ms: the time of Redis in milliseconds.
        owner: jobs of others are not named; None if the caller may see all.
    """
    seen = {
        worker.node: worker
        for worker in (Registered.read(member) for member, at_ms in nodes if at_ms >= now_ms - SILENT_SECONDS * 1000)
    }
    states = WorkerRegistry(redis).states(sorted(seen))
    workers = [_worker(seen[node], state) for node, state in states.items()]
    _give_work(redis, workers, leases, owner)
    return workers


def _worker(registered: Registered, state: WorkerState) -> Worker:
    found: dict[str, list[OpenModel]] = {}
    for models in state.models.values():
        for reference, model in models.items():
            found.setdefault(reference, []).append(model)
    held = [
        HeldModel(reference, len(models), min(one.idle_seconds for one in models), models[0].file_bytes)
        for reference, models in sorted(found.items())
    ]
    node, processes, pool = registered
    return Worker(node, processes, pool, state.uptime_seconds, state.memory_bytes, held)


def _give_work(redis: RedisClient, workers: list[Worker], leases: Mapping[bytes, bytes], owner: str | None) -> None:
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
        number = None if is_row or int(chunk) >= FIRST_RANGE else int(chunk)
        work = Work(id if is_own else "", number, counts[holder] if is_row else None)
        if node in by_node:
            by_node[node].work[process] = work
