"""`/queue`: what waits, which workers are online and what they do; and calls that pause work, and resume it."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Literal, cast

from flask import Blueprint, Response, g, jsonify, request
from typing_extensions import TypedDict

from api.openapi.call_types import JSON, Answer, Call, documented, query
from api.services import current_services
from rowcast.errors import Forbidden, NotFound, OptionValue, Unavailable, UnknownOption, Unprocessable
from rowcast.jobs.progress.work_queue import read_queue
from rowcast.jobs.public_job import timestamp
from rowcast.jobs.records.scripts.script_results import Paused
from rowcast.logs import logger
from rowcast.pools import read_pools

blueprint = Blueprint("queue_state", __name__)


class WorkDocument(TypedDict):
    """What one worker process does now."""

    #: Its process id.
    process: str
    #: The job of its chunk, or of the first of its rows; null if it belongs to another API key.
    job: str | None
    #: Number of the chunk; null for single rows.
    chunk: int | None
    #: Number of single rows; null for a chunk.
    rows: int | None


class HeldModelDocument(TypedDict):
    """A model that a worker has open."""

    #: Its name and version, for example `titanic@1`.
    model: str
    #: How many of the worker's processes have it open.
    processes: int
    #: Time since one of them last used it, in seconds.
    idle_seconds: float
    #: Length of its file, in bytes; null if it is not known.
    file_bytes: int | None


class WorkerDocument(TypedDict):
    """A worker that is online."""

    #: Host and process id of its main process.
    node: str
    #: The pool that it is in; null if it is the default pool.
    pool: str | None
    #: How many worker processes it has.
    processes: int
    #: Time since it was started, in seconds; null if it is not known.
    uptime_seconds: float | None
    #: Resident memory of its main process and its worker processes, in bytes; null if it is not known. Pages that they
    #: share count for each of them.
    memory_bytes: int | None
    #: The models that its processes have open.
    models: list[HeldModelDocument]
    #: What its processes do. Those that have nothing to do are not listed.
    work: list[WorkDocument]


class PoolDocument(TypedDict):
    """What waits for the workers of one pool, and how many there are."""

    #: The pool; null if it is the default pool.
    pool: str | None
    #: As in the whole queue. Paused chunks count for the default pool.
    chunks_waiting: int
    #: As in the whole queue.
    chunks_age_seconds: float | None
    #: As in the whole queue.
    rows_waiting: int
    #: As in the whole queue.
    rows_age_seconds: float | None
    #: Worker processes that are worth having for this work. The autoscaler of the pool follows this number.
    wanted_processes: int
    #: Workers of the pool that are online. At 0, its work waits.
    workers: int
    #: How many worker processes they have.
    processes: int
    #: How many of those have a chunk or rows.
    busy_processes: int


class PauseDocument(TypedDict):
    """A pause."""

    #: `all`, `batch` (files), `single` (rows), `model NAME` or `model NAME@VERSION`.
    what: str
    #: When it began.
    since: str


class PausesDocument(TypedDict):
    """What is handed to no worker."""

    paused: list[PauseDocument]
    #: Chunks and rows of it that a worker still works on. At 0, everything that was running has ended.
    running: int


class QueueDocument(TypedDict):
    """The queue at one moment, of all API keys together."""

    #: Jobs that have not ended.
    unfinished_jobs: int
    #: Chunks that wait, the paused ones too. A job has only as many in line as the workers need soon.
    chunks_waiting: int
    #: Age of the oldest job with a chunk in line, in seconds; null if no chunk waits.
    chunks_age_seconds: float | None
    #: Single rows that wait, the paused ones too.
    rows_waiting: int
    #: Age of the oldest of them, in seconds; null if no row waits.
    rows_age_seconds: float | None
    #: Rows that were scored in the last minute.
    rows_last_minute: int
    #: Rows a second, over the last 10 to 15 seconds.
    rows_per_second: float
    #: Worker processes that are worth having for the work that waits. Autoscalers follow this number.
    wanted_processes: int
    #: The workers that are online.
    workers: list[WorkerDocument]
    #: Each pool of workers, the default one first.
    pools: list[PoolDocument]
    #: What is handed to no worker until it is resumed.
    paused: list[PauseDocument]


@blueprint.get("/queue")
@documented(Call("service", {200: Answer("The queue now.", {JSON: QueueDocument})}, (Unavailable,)))
def get_queue() -> Response:
    """Returns what waits, which workers are online and what they do, and how many rows were scored lately."""
    services = current_services()
    state = read_queue(services.redis, g.scope, read_pools(services.settings.pools).names)
    workers: list[WorkerDocument] = [
        {
            "node": worker.node,
            "pool": worker.pool or None,
            "processes": worker.processes,
            "uptime_seconds": worker.uptime_seconds,
            "memory_bytes": worker.memory_bytes,
            "models": [cast(HeldModelDocument, asdict(model)) for model in worker.models],
            "work": [
                {"process": process, "job": work.job or None, "chunk": work.chunk, "rows": work.rows}
                for process, work in sorted(worker.work.items())
            ],
        }
        for worker in state.workers
    ]
    queue: QueueDocument = {
        "unfinished_jobs": state.unfinished_jobs,
        "chunks_waiting": state.chunks_waiting,
        "chunks_age_seconds": state.chunks_age_seconds,
        "rows_waiting": state.rows_waiting,
        "rows_age_seconds": state.rows_age_seconds,
        "rows_last_minute": state.rows_last_minute,
        "rows_per_second": state.rows_per_second,
        "wanted_processes": state.wanted_processes,
        "workers": workers,
        "pools": [cast(PoolDocument, {**asdict(one), "pool": one.pool or None}) for one in state.pools],
        "paused": _listed(state.paused),
    }
    return jsonify(queue)


_MODEL = query("model", "Only work of this model: `NAME`, or `NAME@VERSION`.", type="string")
_QUEUE = query("queue", "Only this queue: `batch` (files) or `single` (rows).", type="string", enum=["batch", "single"])
_PAUSES = Answer("What is paused now.", {JSON: PausesDocument})


@blueprint.get("/queue/pauses")
@documented(Call("service", {200: _PAUSES}, (Unavailable,)))
def get_pauses() -> Response:
    """Returns what is paused, and how much of it still runs."""
    return _answer(current_services().scripts.pause("read"))


@blueprint.post("/queue/pause")
@documented(
    Call("service", {200: _PAUSES}, (Forbidden, NotFound, Unprocessable, Unavailable), parameters=(_MODEL, _QUEUE))
)
def pause() -> Response:
    """Hands no more work to workers: of a model, of a queue, or at all. What runs ends, and jobs are accepted."""
    return _change("pause", _what() or "all")


@blueprint.post("/queue/resume")
@documented(
    Call("service", {200: _PAUSES}, (Forbidden, NotFound, Unprocessable, Unavailable), parameters=(_MODEL, _QUEUE))
)
def resume() -> Response:
    """Ends the pause of a model or of a queue; without a parameter, every pause."""
    return _change("resume", _what())


def _change(action: Literal["pause", "resume"], what: str) -> Response:
    paused = current_services().scripts.pause(action, what)
    logger("gateway").warning("work_paused" if action == "pause" else "work_resumed", what=what or "all pauses")
    return _answer(paused)


def _what() -> str:
    """Returns the name of what the request's parameters say; empty if there are none.

    Raises:
        UnknownOption, OptionValue: a parameter does not exist, or has another value than these.
        UnknownModel: there is no such model or version.
    """
    for name in request.args:
        if name not in ("model", "queue"):
            raise UnknownOption.at(name, "does not exist; a pause takes `model` or `queue`")
    model, queue = request.args.get("model"), request.args.get("queue")
    if model is not None and queue is not None:
        raise OptionValue.at("queue", "cannot be combined with `model`; make two pauses")
    if queue is not None and queue not in ("batch", "single"):
        raise OptionValue.at("queue", "takes batch or single")
    if model is None:
        return queue or ""
    return f"model {_model(model)}"


def _model(reference: str) -> str:
    """Returns the model as a pause names it: an alias becomes the version that it means now."""
    registry = current_services().registry
    manifest = registry.resolve(reference)
    return f"{manifest.name}@{manifest.version}" if "@" in reference else manifest.name


def _listed(since_ms: Mapping[str, int]) -> list[PauseDocument]:
    return [{"what": what, "since": timestamp(ms)} for what, ms in sorted(since_ms.items())]


def _answer(paused: Paused) -> Response:
    document: PausesDocument = {"paused": _listed(paused.since_ms), "running": paused.running}
    return jsonify(document)
