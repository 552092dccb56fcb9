"""A job's log: what happened to it, in words. Scripts that change the job write the entries (`lua/shared/log.lua`)."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from rowcast.jobs.chunk_tables import FIRST_RANGE
from rowcast.jobs.job import Job
from rowcast.jobs.records.policy import STRIKES_ALLOWED
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.states import Status
from rowcast.wording.quantity import counted

Entry = Mapping[str, Any]
"""An entry as a script wrote it: `at_ms`, `event`, and what is known of chunk, worker, attempt, strikes and detail."""


class LogLine(NamedTuple):
    """One thing that happened to a job."""

    #: When it happened, in milliseconds since 1970, UTC.
    at_ms: int
    #: What happened, for programs: a name of `EVENTS`.
    event: str
    #: The same in words.
    message: str
    #: The chunk that it happened to; None if it happened to the whole job.
    chunk: int | None
    #: The worker process that it happened to, `NODE/PID`; None if there is none.
    worker: str | None


def _what(entry: Entry) -> str:
    if "is_parquet" in entry:
        return "The Parquet file"
    if "chunk" not in entry:
        return "The row"
    return "The conversion of the file" if entry["chunk"] >= FIRST_RANGE else f"Chunk {entry['chunk']}"


def _started(entry: Entry) -> str:
    if "chunk" not in entry:
        return "Scoring began."
    if entry["chunk"] >= FIRST_RANGE:
        return f"The conversion of the file began{_by(entry)}."
    return f"Scoring began with chunk {entry['chunk']}{_by(entry)}."


def _done(entry: Entry) -> str:
    if (entry.get("chunk") or 0) >= FIRST_RANGE:
        return "finished"
    return "written" if "is_parquet" in entry else "scored"


def _by(entry: Entry) -> str:
    return f" by {entry['worker']}" if entry.get("worker") else ""


def _because(entry: Entry) -> str:
    detail = entry.get("detail") or ""
    return (f": {detail}" if detail else "") + ("" if detail.endswith((".", "?")) else ".")


def _strikes(entry: Entry) -> str:
    fail = "give it up" if "is_parquet" in entry else "fail the job"
    return f"That is strike {entry['strikes']}; {STRIKES_ALLOWED} {fail}."


EVENTS: dict[str, Callable[[Entry], str]] = {
    "arriving": lambda entry: "The file began to arrive.",
    "created": lambda entry: (
        f"The job was made: {counted(entry['rows'], 'row')} in {counted(entry['chunks'], 'chunk')}."
        if "rows" in entry
        else "The job was made. A worker converts its file to rows."
        if "converting" in entry
        else "The job was made."
    ),
    "converted": lambda entry: (
        f"The file was converted{_by(entry)}: {counted(entry['rows'], 'row')} in {counted(entry['chunks'], 'chunk')}."
    ),
    "started": _started,
    "worker_lost": lambda entry: (
        f"{_what(entry)} was lost: its worker process{' ' + entry['worker'] if entry.get('worker') else ''} died, "
        f"or was silent for too long. {_strikes(entry)}"
    ),
    "error": lambda entry: f"{_what(entry)} could not be {_done(entry)}{_by(entry)}{_because(entry)} {_strikes(entry)}",
    "tried_again": lambda entry: f"{_what(entry)} was taken over{_by(entry)} (attempt {entry['attempt']}).",
    "postponed": lambda entry: f"Work was postponed, and is tried again by itself{_because(entry)}",
    "given_back": lambda entry: f"{_what(entry)} was given back by a worker process that stopped.",
    "rescoring": lambda entry: f"The part of chunk {entry['chunk']} was missing or damaged, and is made again.",
    "rescored": lambda entry: f"The part of chunk {entry['chunk']} was made again{_by(entry)}.",
    "part_lost": lambda entry: f"The part of chunk {entry['chunk']} could not be made again.",
    "repair": lambda entry: f"Bad rows were corrected: {counted(entry['chunks'], 'chunk')} scored again.",
    "retried": lambda entry: f"The job was retried: {counted(entry['chunks'], 'chunk')} to score.",
    "succeeded": lambda entry: "The job succeeded.",
    "failed": lambda entry: f"The job failed{_because(entry)}",
    "cancelled": lambda entry: "The job was cancelled.",
}
"""Each event, and its words."""


def read_log(redis: RedisClient, job: Job) -> list[LogLine]:
    """Returns what happened to a job, oldest first. Of a job with many troubles only the newest entries are kept.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    with redis_errors():
        entries = [json.loads(entry) for entry in redis.lrange(key("log", job.id), 0, -1)]
    if not any(entry["event"] in ("arriving", "created") for entry in entries):
        entries.insert(0, {"at_ms": job.created_ms, "event": "created"})
    if job.is_single:
        for entry in entries:
            entry.pop("chunk", None)
        entries += _from_record(job)
    for entry in entries:
        if not job.is_single and entry.get("chunk") == job.chunks_total:  # that number stands for the Parquet file
            del entry["chunk"]
            entry["is_parquet"] = True
    return [_line(entry) for entry in sorted(entries, key=lambda entry: entry["at_ms"])]


def _from_record(job: Job) -> list[Entry]:
    """Returns start and end of a single job. They are in its record, so that rows cost no entries."""
    found: list[Entry] = []
    if job.started_ms is not None:
        found.append({"at_ms": job.started_ms, "event": "started"})
    if job.finished_ms is not None and job.status is not Status.EXPIRED:
        found.append(
            {"at_ms": job.finished_ms, "event": str(job.status), "detail": job.error["detail"] if job.error else None}
        )
    return found


def _line(entry: Entry) -> LogLine:
    message = EVENTS[entry["event"]](entry)
    chunk = entry.get("chunk")
    if chunk is not None and chunk >= FIRST_RANGE:
        chunk = None
    return LogLine(entry["at_ms"], entry["event"], message, chunk, entry.get("worker"))
