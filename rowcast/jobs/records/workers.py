"""The registry of workers: which are online and connected, their memory, and the models they have and cannot open."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from redis.exceptions import ResponseError

from rowcast.jobs.options import RowExtras
from rowcast.jobs.records.metric_fields import MetricField, observe_ms
from rowcast.jobs.records.policy import SILENT_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.logs import logger

_REPORT_SECONDS = 86_400
"""How long the reports of unopenable models outlive the last heartbeat of any worker."""

_KEPT_SECONDS = 60 * SILENT_SECONDS
"""How long a worker without a heartbeat stays in the table."""

_VITALS_SECONDS = 60
"""How long the figures of a worker are kept after its last heartbeat."""

_MODELS = "models/"
"""What the fields of a worker's hash begin with that have the models of a process. Its process id follows."""

_CONNECTIONS = "connections/"
"""As `_MODELS`, of the fields that have the connections of a process."""


FIRST_ROW_OPTIONS = "probabilities,scores"
"""What a worker of an older release knows, which does not say what it knows."""


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


class ProcessConnections:
    """The connections to Redis of one worker process. Each of them registers itself when it is opened.

    Redis closes those of a killed process at once. A process that gets no processor time, or is frozen, keeps them.
    """

    def __init__(self, node: str, pid: int) -> None:
        self._key, self._field = key("worker", node), f"{_CONNECTIONS}{pid}"
        self._lock = Lock()
        self._run_id = ""
        self._ids: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        #: The run id of Redis, and the client ids of the connections; empty before the first one.
        self.registered = ""

    def register(self, connection: Any) -> None:
        """Registers a connection of redis-py, over itself, for `on_connect` of `connect`.

        So a process that takes or renews a lease has a registered connection. If Redis refuses, there is none, and the
        leases of the process end only when they run out.
        """
        with self._lock:
            try:
                id = int(_ask(connection, "CLIENT", "ID"))
                found = re.search(rb"run_id:(\w+)", _ask(connection, "INFO", "server"))
                run_id = found[1].decode() if found else ""
                if run_id != self._run_id:  # Redis was started again, and has other ids
                    self._run_id, self._ids = run_id, WeakKeyDictionary()
                self._ids[connection] = id
                self.registered = " ".join([run_id, *map(str, sorted(self._ids.values()))])
                _ask(connection, "HSET", self._key, self._field, self.registered)
                _ask(connection, "EXPIRE", self._key, _VITALS_SECONDS)
            except ResponseError as error:
                logger("worker").warning("connection_not_registered", reason=str(error))


def _ask(connection: Any, *command: str | int) -> bytes:
    connection.send_command(*command, check_health=False)
    answer: bytes = connection.read_response()
    return answer


class Registered(NamedTuple):
    """A worker in the table."""

    #: Host and process id of its main process.
    node: str
    #: How many worker processes it has.
    slots: int
    #: The pool that it is in; empty for the default pool.
    pool: str

    @classmethod
    def read(cls, member: bytes) -> "Registered":
        """Returns the worker of a member of the table, for example `host:71#2` or `heavy/host:71#2`."""
        name, _, slots = member.decode().rpartition("#")
        pool, _, node = name.rpartition("/")
        return cls(node, int(slots), pool)

    def __str__(self) -> str:
        return f"{self.pool}/{self.node}#{self.slots}" if self.pool else f"{self.node}#{self.slots}"


class WorkerRegistry:
    """The table of workers. A worker is called NODE: host and process id, for example `host:71`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    def heartbeat(self, node: str, slots: int, vitals: Vitals | None = None, pool: str = "") -> None:
        """Notes that the worker `node` is online and has `slots` processes, and keeps its figures."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            now = self._now()
            pipe.expire(key("unopenable"), _REPORT_SECONDS)
            pipe.zadd(key("workers"), {str(Registered(node, slots, pool)): now})
            if pool:
                pipe.zadd(key("pools"), {pool: 0})
            pipe.zremrangebyscore(key("workers"), "-inf", now - _KEPT_SECONDS * 1000)
            pipe.zremrangebyscore(key("workers"), now + SILENT_SECONDS * 1000, "+inf")  # the clock was set back
            if vitals is not None:
                memory = "" if vitals.memory_bytes is None else str(vitals.memory_bytes)
                uptime, options = f"{vitals.uptime_seconds:.1f}", ",".join(RowExtras._fields)
                about = {"uptime_seconds": uptime, "memory_bytes": memory, "row_options": options}
                pipe.hset(key("worker", node), mapping=about)
                if vitals.ended:
                    ended = [f"{kind}{pid}" for pid in vitals.ended for kind in (_MODELS, _CONNECTIONS)]
                    pipe.hdel(key("worker", node), *ended)
                pipe.expire(key("worker", node), _VITALS_SECONDS)
            pipe.execute()

    def report_models(
        self,
        node: str,
        pid: int,
        models: Mapping[str, OpenModel],
        loads: Iterable[tuple[str, float]] = (),
        registered: str = "",
    ) -> None:
        """Replaces what is known of the models (`NAME@VERSION`) that one process of a worker has open.

        `loads` has the models that it has opened since its last report, and how long each took in seconds.
        `registered` has its connections (`ProcessConnections`), in case that Redis has lost them.
        """
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            now = self._now()
            used = {name: [round(now - one.idle_seconds * 1000), one.file_bytes] for name, one in models.items()}
            pipe.hset(key("worker", node), f"{_MODELS}{pid}", json.dumps(used))
            if registered:
                pipe.hset(key("worker", node), f"{_CONNECTIONS}{pid}", registered)
            pipe.expire(key("worker", node), _VITALS_SECONDS)
            for model, seconds in loads:
                observe_ms(pipe, MetricField.MODEL_LOAD, model, seconds * 1000)
            pipe.execute()

    def disconnected(self, holders: Collection[str]) -> dict[str, str]:
        """Returns the processes (`NODE/PID`) whose connections are all closed, each with what it had registered.

        A process of which nothing is known is not one of them: if it has registered no connection, or if Redis was
        started again since.

        Raises:
            ResponseError: this Redis, or a proxy before it, does not list connections.
        """
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.info("server")
            for holder in holders:
                node, _, pid = holder.rpartition("/")
                pipe.hget(key("worker", node), f"{_CONNECTIONS}{pid}")
            server, *answers = pipe.execute()
            found = {holder: answer.decode() for holder, answer in zip(holders, answers, strict=True) if answer}
            ids = {
                holder: registered.split()[1:]
                for holder, registered in found.items()
                if registered.split()[0] == server.get("run_id")
            }
            if not ids:
                return {}
            listed = self._redis.client_list(client_id=sorted({id for known in ids.values() for id in known}))
        is_open = {client["id"] for client in listed}
        return {holder: found[holder] for holder, known in ids.items() if is_open.isdisjoint(known)}

    def states(self, nodes: Sequence[str]) -> dict[str, WorkerState]:
        """Returns the figures of these workers."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            for node in nodes:
                pipe.hgetall(key("worker", node))
            (seconds, microseconds), *hashes = pipe.execute()
        now_ms = seconds * 1000 + microseconds / 1000
        return {node: _state(fields, now_ms) for node, fields in zip(nodes, hashes, strict=True)}

    def row_options(self, nodes: Sequence[str]) -> dict[str, frozenset[str]]:
        """Returns the options of single rows that these workers know; a worker that has sent no figures is left out."""
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for node in nodes:
                pipe.hmget(key("worker", node), "uptime_seconds", "row_options")
            found = dict(zip(nodes, pipe.execute(), strict=True))
        return {
            node: frozenset((options.decode() if options else FIRST_ROW_OPTIONS).split(","))
            for node, (uptime, options) in found.items()
            if uptime is not None
        }

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
            nodes = {worker.node for worker in self.online()}
            reports = self._redis.hmget(key("unopenable"), sorted(nodes)) if nodes else []
        found: dict[str, str] = {}
        for report in reports:
            found |= json.loads(report) if report else {}
        return found

    def remove(self, node: str, slots: int, pool: str = "") -> None:
        """Removes the worker from the table."""
        with redis_errors():
            self._redis.zrem(key("workers"), str(Registered(node, slots, pool)))
            self._redis.hdel(key("unopenable"), node)
            self._redis.delete(key("worker", node))

    def count(self, pool: str | None = None) -> int:
        """Returns how many workers are online, of one pool or of all."""
        return sum(pool in (None, worker.pool) for worker in self.online())

    def online(self) -> list[Registered]:
        """Returns the workers that are online."""
        with redis_errors():
            since_ms = self._now() - SILENT_SECONDS * 1000
            return [Registered.read(one) for one in self._redis.zrange(key("workers"), since_ms, "+inf", byscore=True)]

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
        if name.startswith(_MODELS)
    }
    return WorkerState(float(uptime) if uptime else None, int(memory) if memory else None, models)
