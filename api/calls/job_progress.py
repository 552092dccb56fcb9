"""`/jobs/ID/chunks` and `/jobs/ID/log`: how far each chunk of a job is, and what happened to the job."""

import re

from flask import Blueprint, Response, jsonify, request
from typing_extensions import TypedDict

from api.openapi.call_types import JSON, Answer, Call, documented, query
from api.output.responses import LOOKUP_ERRORS, own_job
from api.services import current_services
from api.url_prefix import prefix
from rowcast.errors import OptionValue, Unprocessable
from rowcast.jobs.progress.job_chunks import ChunkProgress, State, read_chunks
from rowcast.jobs.progress.job_log import read_log
from rowcast.jobs.public_job import Path, Time, timestamp

blueprint = Blueprint("job_progress", __name__, url_prefix="/jobs")

DEFAULT_CHUNKS = 100
MAX_CHUNKS = 1000
_MAX_CURSOR = 10**9


class ChunkDocument(TypedDict):
    """One chunk of a batch."""

    #: Its number, from 0.
    chunk: int
    #: Number of its first row, from 1.
    first_row: int
    #: Number of its rows.
    rows: int
    #: `waiting`, `running` or `done`. `failed`: it failed the job. `dropped`: the job ended before it was scored.
    state: State
    #: Bad rows among them; 0 until it is done.
    rows_failed: int
    #: How often it was tried.
    attempts: int
    #: The worker process that has it or had it; null if there is none.
    worker: str | None
    #: Seconds that it took, or takes so far; null if it waits.
    seconds: float | None


class ChunkPage(TypedDict):
    """Chunks in the order of the rows. `next` is the path of the next page, or null on the last page."""

    chunks: list[ChunkDocument]
    #: Number of all chunks.
    total: int
    next: Path | None


class LogEntry(TypedDict):
    """One thing that happened to a job."""

    #: When it happened.
    at: Time
    #: What happened, for programs, for example `worker_lost`.
    event: str
    #: The same in words.
    message: str
    #: The chunk that it happened to; null if it happened to the whole job.
    chunk: int | None
    #: The worker process that it happened to; null if there is none.
    worker: str | None


class JobLog(TypedDict):
    """What happened to a job, oldest first, and the ids by which the programs' log lines about it are found."""

    #: Id of the HTTP request that made the job; empty if it is not known.
    request_id: str
    #: Id of the trace that the job belongs to; empty if it is not known.
    trace_id: str
    log: list[LogEntry]


_PAGING = (
    query("limit", "Number of chunks.", type="integer", minimum=1, maximum=MAX_CHUNKS, default=DEFAULT_CHUNKS),
    query("cursor", "Number of the first chunk.", type="integer", minimum=0, maximum=_MAX_CURSOR, default=0),
)


@blueprint.get("/<id>/chunks")
@documented(Call("jobs", {200: Answer("Some chunks.", {JSON: ChunkPage})}, (*LOOKUP_ERRORS, Unprocessable), _PAGING))
def get_chunks(id: str) -> Response:
    """Returns the state of each chunk of a batch, one page at a time."""
    job = own_job(id)
    limit, first = _number("limit", DEFAULT_CHUNKS, 1, MAX_CHUNKS), _number("cursor", 0, 0, _MAX_CURSOR)
    total = 0 if job.is_single else job.chunks_total
    chunks = read_chunks(current_services().redis, job, first, limit) if total else []
    following = first + limit
    page: ChunkPage = {
        "chunks": [_document(chunk) for chunk in chunks],
        "total": total,
        "next": f"{prefix()}/jobs/{id}/chunks?cursor={following}&limit={limit}" if following < total else None,
    }
    return jsonify(page)


@blueprint.get("/<id>/log")
@documented(Call("jobs", {200: Answer("What happened to the job.", {JSON: JobLog})}, LOOKUP_ERRORS))
def get_log(id: str) -> Response:
    """Returns what happened to the job, oldest first: its start, its troubles and its end."""
    job = own_job(id)
    lines = read_log(current_services().redis, job)
    log: JobLog = {
        "request_id": job.spec.origin.request_id,
        "trace_id": job.spec.origin.trace_id,
        "log": [
            {
                "at": timestamp(line.at_ms),
                "event": line.event,
                "message": line.message,
                "chunk": line.chunk,
                "worker": line.worker,
            }
            for line in lines
        ],
    }
    return jsonify(log)


def _document(chunk: ChunkProgress) -> ChunkDocument:
    return {
        "chunk": chunk.chunk,
        "first_row": chunk.first_row,
        "rows": chunk.rows,
        "state": chunk.state,
        "rows_failed": chunk.rows_failed,
        "attempts": chunk.attempts,
        "worker": chunk.worker,
        "seconds": chunk.seconds,
    }


def _number(name: str, default: int, least: int, most: int) -> int:
    text = request.args.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,10}", text) or not least <= int(text) <= most:
        raise OptionValue.at(name, f"must be a whole number from {least} to {most}")
    return int(text)
