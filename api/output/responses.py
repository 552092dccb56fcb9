"""How a job is answered with, and how an answer is held until the job has ended."""

import time
from typing import Any

from flask import Response, g, jsonify

from api.error_responses import problem, problem_response
from api.notifications import Waiter
from api.services import Services, current_services
from api.url_prefix import prefix
from rowcast.errors import Cancelled, Gone, NotFound, Unavailable
from rowcast.jobs.job import Job, RowResult
from rowcast.jobs.public_job import Id, PublicJob, public

LOOKUP_ERRORS = (NotFound, Gone, Unavailable)
"""The errors of looking up a job (`own_job`), for the OpenAPI entries of calls that do so."""

POLL_AFTER_SECONDS = 1

UNBUFFERED = {"X-Accel-Buffering": "no"}
"""Headers of an answer that comes bit by bit: nginx would otherwise keep it until its buffers are full, or the end."""

DOUBT_SECONDS = 5.0
"""A waiting caller looks at the record so often even if nobody wakes it: a message of Redis' pub/sub may get lost."""


class Prediction(RowResult):
    """The answer to a row that was waited for: its prediction, and the job that it came of."""

    job: Id


def now_ms() -> int:
    """The time, in milliseconds since 1970, UTC."""
    return int(time.time() * 1000)


def job_document(job: Job, below: str) -> PublicJob:
    """The job as JSON shows it; `below` is the prefix of paths."""
    return public(job, now_ms(), below, lambda recorded: problem(recorded, below))


def job_response(job: Job, status: int = 200) -> Response:
    """The job as JSON; with 202, where to look for it and when."""
    response = jsonify(job_document(job, prefix()))
    response.status_code = status
    if status == 202:
        response.headers["Location"] = f"{prefix()}/jobs/{job.id}"
        response.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    return response


def single_response(job: Job) -> Response:
    """The bare answer of a single job that has ended."""
    return row_response(job.id, dict(job.result or job.error or Cancelled("The job was cancelled.").recorded()))


def row_response(id: str, outcome: dict[str, Any]) -> Response:
    """What came of a single job's row: the prediction, or the recorded problem, which has a `type`."""
    if "type" in outcome:
        return problem_response({**problem(outcome, prefix()), "job": id})
    return jsonify(outcome | {"job": id})


def own_job(id: str) -> Job:
    """Returns the job, if the caller may see it; raises as `Jobs.get`."""
    return current_services().jobs.get(id, g.scope)


def wait_for_end(services: Services, id: str, waiter: Waiter, until: float) -> Job:
    """The job at its end, or when `time.monotonic()` is `until`; `waiter` comes from `Notifications.expect`."""
    job = services.records.get(id)
    while not job.status.is_terminal and (left := until - time.monotonic()) > 0:
        waiter.wait(min(left, DOUBT_SECONDS))
        job = services.records.get(id)
    return job
