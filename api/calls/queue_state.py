"""`/queue`: what waits, which workers are online and what they do, and how many rows were scored lately."""

from dataclasses import asdict
from typing import cast

from flask import Blueprint, Response, g, jsonify
from typing_extensions import TypedDict

from api.openapi.call_types import JSON, Answer, Call, documented
from api.services import current_services
from rowcast.errors import Unavailable
from rowcast.jobs.progress.work_queue import read_queue

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


class QueueDocument(TypedDict):
    """The queue at one moment, of all API keys together."""

    #: Jobs that have not ended.
    unfinished_jobs: int
    #: Chunks that wait. A job has only as many in line as the workers need soon.
    chunks_waiting: int
    #: Age of the oldest job with a chunk in line, in seconds; null if no chunk waits.
    chunks_age_seconds: float | None
    #: Single rows that wait.
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


@blueprint.get("/queue")
@documented(Call("service", {200: Answer("The queue now.", {JSON: QueueDocument})}, (Unavailable,)))
def get_queue() -> Response:
    """Returns what waits, which workers are online and what they do, and how many rows were scored lately."""
    state = read_queue(current_services().redis, g.scope)
    workers: list[WorkerDocument] = [
        {
            "node": worker.node,
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
    }
    return jsonify(queue)
