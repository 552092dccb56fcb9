"""The registry of workers: which are online, how much memory they use, and which models they have and cannot open."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rowcast.jobs.records.metric_fields import MetricField, observe_ms
from rowcast.jobs.records.policy import SILENT_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key

_REPORT_SECONDS = 86_400
"""How long the reports of unopenable models outlive the last heartbeat of any worker."""

_KEPT_SECONDS = 60 * SILENT_SECONDS
"""How long a worker without a heartbeat stays in the table."""


_VITALS_SECONDS = 60
"""How long the figures of a worker are kept after its last heartbeat."""

_MODELS = "models/"
"""What the fields of a worker's hash begin with that have the models of a process. Its process id follows."""


@dataclass(frozen=True)
class Vitals:
    """What a worker's main process sends of itself with each heartbeat."""

    #: Time since it was started, in seconds.
    uptime_seconds: float
    #: Resident memory of the main process and all worker processes; None if it is not known.
    memory_bytes: int | None
    #: Process ids of worker processes that have ended since the last heartbeat.
    ended: Sequence[int] = ()


@dataclass(frozen=True)
class OpenModel:
    """A model that a worker process has open."""

    #: Time since it was last used, in seconds.
    idle_seconds: float
    #: Length of its file; None if it is not known.
    file_bytes: int | None


@dataclass(frozen=True)
class WorkerState:
    """The figures of a worker, as it has last sent them."""

    #: Time since it was started, in seconds; None if it has not said so.
    uptime_seconds: float | None = None
    #: Resident memory of all its processes; None if it is not known.
    memory_bytes: int | None = None
    #: Process id → `NAME@VERSION` → the model, for each process that has models open.
    models: Mapping[str, Mapping[str, OpenModel]] = field(default_factory=dict)


class WorkerRegistry:
    """The table of workers. A worker is called NODE: host and process id, for example `host:71`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    def heartbeat(self, node: str, slots: int, vitals: Vitals | None = None) -> None:
        """Notes that the worker `node` is online and has `slots` processes, and keeps its figures."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            now = self._now()
            pipe.expire(key("unopenable"), _REPORT_SECONDS)
            pipe.zadd(key("workers"), {f"{node}#{slots}": now})
            pipe.zremrangebyscore(key("workers"), "-inf", now - _KEPT_SECONDS * 1000)
            pipe.zremrangebyscore(key("workers"), now + SILENT_SECONDS * 1000, "+inf")  # the clock was set back
            if vitals is not None:
                memory = "" if vitals.memory_bytes is None else str(vitals.memory_bytes)
                about = {"uptime_seconds": f"{vitals.uptime_seconds:.1f}", "memory_bytes": memory}
                pipe.hset(key("worker", node), mapping=about)
                if vitals.ended:
                    pipe.hdel(key("worker", node), *(f"{_MODELS}{pid}" for pid in vitals.ended))
                pipe.expire(key("worker", node), _VITALS_SECONDS)
            pipe.execute()

    def report_models(
        self, node: str, pid: int, models: Mapping[str, OpenModel], loads: Iterable[tuple[str, float]] = ()
    ) -> None:
        """Replaces what is known of the models (`NAME@VERSION`) that one process of a worker has open.

        `loads` has the models that it has opened since its last report, and how long each took in seconds.
        """
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            now = self._now()
            used = {name: [round(now - one.idle_seconds * 1000), one.file_bytes] for name, one in models.items()}
            pipe.hset(key("worker", node), f"{_MODELS}{pid}", json.dumps(used))
            pipe.expire(key("worker", node), _VITALS_SECONDS)
            for model, seconds in loads:
                observe_ms(pipe, MetricField.MODEL_LOAD, model, seconds * 1000)
            pipe.execute()

    def states(self, nodes: Sequence[str]) -> dict[str, WorkerState]:
        """Returns the figures of these workers."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for node in nodes:
                pipe.hgetall(key("worker", node))
            (seconds, microseconds), *hashes = pipe.execute()
        now_ms = seconds * 1000 + microseconds / 1000
        return {node: _state(fields, now_ms) for node, fields in zip(nodes, hashes, strict=True)}

    def report_unopenable(self, node: str, reasons: Mapping[str, str]) -> None:
        """Replaces the worker's report of the models (`NAME@VERSION`) that it cannot open, and why."""
        with redis_errors():
            if reasons:
                self._redis.hset(key("unopenable"), node, json.dumps(dict(reasons)))
                self._redis.expire(key("unopenable"), _REPORT_SECONDS)
            else:
                self._redis.hdel(key("unopenable"), node)

    def unopenable(self) -> dict[str, str]:
        """Returns `NAME@VERSION` → the reason, for each model that a worker that is online cannot open."""
        with redis_errors():
            alive = self._redis.zrange(key("workers"), self._now() - SILENT_SECONDS * 1000, "+inf", byscore=True)
            nodes = {member.decode().rpartition("#")[0] for member in alive}
            reports = self._redis.hmget(key("unopenable"), sorted(nodes)) if nodes else []
        found: dict[str, str] = {}
        for report in reports:
            found |= json.loads(report) if report else {}
        return found

    def remove(self, node: str, slots: int) -> None:
        """Removes the worker from the table."""
        with redis_errors():
            self._redis.zrem(key("workers"), f"{node}#{slots}")
            self._redis.hdel(key("unopenable"), node)
            self._redis.delete(key("worker", node))

    def count(self) -> int:
        """Returns how many workers are online."""
        with redis_errors():
            return int(self._redis.zcount(key("workers"), self._now() - SILENT_SECONDS * 1000, "+inf"))

    def _now(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds) * 1000 + float(microseconds) / 1000


def _state(fields: Mapping[bytes, bytes], now_ms: float) -> WorkerState:
    texts = {name.decode(): value.decode() for name, value in fields.items()}
    uptime, memory = texts.pop("uptime_seconds", ""), texts.pop("memory_bytes", "")
    models = {
        name.removeprefix(_MODELS): {
            reference: OpenModel(max(0.0, round((now_ms - used_ms) / 1000, 1)), file_bytes)
            for reference, (used_ms, file_bytes) in json.loads(value).items()
        }
        for name, value in texts.items()
    }
    return WorkerState(float(uptime) if uptime else None, int(memory) if memory else None, models)
