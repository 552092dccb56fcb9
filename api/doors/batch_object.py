"""A batch as OpenAI's clients see it, made of the job that it is."""

import re
from typing import NotRequired

from typing_extensions import TypedDict

from rowcast.errors import EveryRowBad, TooLate, UnknownJob
from rowcast.jobs.job import Job
from rowcast.jobs.states import Status
from rowcast.problem import Recorded

ID = "batch_"
OUTPUT, ERRORS = "output", "errors"
"""The two files of a batch that has ended."""

_LINE = re.compile(r"line ([0-9]+)")
_FILE = re.compile(rf"file-([0-9a-f-]{{36}})-({OUTPUT}|{ERRORS})")


class BatchFault(TypedDict):
    """What is wrong with a file."""

    #: The end of the problem's type, for example `wrong-requests`.
    code: str
    message: str
    #: Where it is, for example `line 3`.
    param: str | None
    #: Number of the line, from 1.
    line: int | None


class BatchFaults(TypedDict):
    """All that is wrong."""

    object: str
    data: list[BatchFault]


class RequestCounts(TypedDict):
    """How many requests are done."""

    total: int
    completed: int
    failed: int


class Batch(TypedDict):
    """A batch. Times are in seconds since 1970, and null if that has not happened."""

    id: str
    object: str
    endpoint: str
    model: str
    errors: BatchFaults | None
    input_file_id: str
    completion_window: str
    #: `validating`, `in_progress`, `completed`, `failed`, `expired` or `cancelled`.
    status: str
    output_file_id: str | None
    error_file_id: str | None
    created_at: int
    in_progress_at: int | None
    expires_at: int | None
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None
    request_counts: RequestCounts
    metadata: NotRequired[dict[str, str] | None]


def batch_object(job: Job) -> Batch:
    """Returns the batch that a job is.

    Raises:
        UnknownJob: the job is not a batch of requests.
    """
    asked, status = job.spec.requests, batch_status(job)
    if asked is None:
        raise UnknownJob(f"Batch not found: {job.id}.")
    ended, window = _seconds(job.finished_ms), job.spec.options.expires_in
    failed = job.rows_failed
    return {
        "id": f"{ID}{job.id}",
        "object": "batch",
        "endpoint": asked.endpoint,
        "model": job.spec.known_as,
        "errors": _faults(job.error) if job.error and status in ("failed", "expired") else None,
        "input_file_id": asked.file_id,
        "completion_window": asked.completion_window,
        "status": status,
        "output_file_id": file_id(job, OUTPUT) if job.rows_done > failed and has_files(job) else None,
        "error_file_id": file_id(job, ERRORS) if failed and has_files(job) else None,
        "created_at": job.created_ms // 1000,
        "in_progress_at": _seconds(job.started_ms),
        "expires_at": None if window is None else job.created_ms // 1000 + window,
        "finalizing_at": ended if status == "completed" else None,
        "completed_at": ended if status == "completed" else None,
        "failed_at": ended if status == "failed" else None,
        "expired_at": ended if status == "expired" else None,
        "cancelling_at": ended if status == "cancelled" else None,
        "cancelled_at": ended if status == "cancelled" else None,
        "request_counts": {"total": job.rows_total, "completed": job.rows_done - failed, "failed": failed},
        "metadata": asked.metadata,
    }


def batch_status(job: Job) -> str:
    """Returns OpenAI's word for the state of a job.

    A batch with only bad rows is `completed`, because each has its error. `expired` is one that has not ended in its
    time, and one whose files were removed.
    """
    if job.status is Status.FAILED:
        known = {EveryRowBad.problem_type(): "completed", TooLate.problem_type(): "expired"}
        return known.get(job.error["type"] if job.error else "", "failed")
    if not job.status.is_terminal:
        return "validating" if job.is_converting else "in_progress"
    return {Status.CANCELLED: "cancelled", Status.EXPIRED: "expired"}.get(job.status, "completed")


def has_files(job: Job) -> bool:
    """Returns whether what is done of a batch can be fetched."""
    return job.status.is_terminal and job.status is not Status.EXPIRED


def file_id(job: Job, kind: str) -> str:
    """Returns the id of a file of a batch."""
    return f"file-{job.id}-{kind}"


def batch_file(id: str) -> tuple[str, str] | None:
    """Returns the job and the kind of a file of a batch; None if it is another file."""
    found = _FILE.fullmatch(id)
    return (found[1], found[2]) if found else None


def _seconds(ms: int | None) -> int | None:
    return None if ms is None else ms // 1000


def _faults(error: Recorded) -> BatchFaults:
    code = error["type"].rpartition(":")[2]
    faults = [_fault(code, one["where"], one["message"]) for one in error.get("errors") or []]
    return {"object": "list", "data": faults or [_fault(code, None, error["detail"])]}


def _fault(code: str, where: str | None, message: str) -> BatchFault:
    line = _LINE.fullmatch(where or "")
    return {"code": code, "message": message, "param": where, "line": int(line[1]) if line else None}
