"""The response to a request that made a job, or to its repetition: the job, or the outcome if the caller waits."""

import time

from flask import Response
from structlog.contextvars import bind_contextvars

from api.notifications import Waiter
from api.output.responses import RECHECK_SECONDS, job_response, row_response, single_response, wait_for_end
from api.services import Services
from rowcast.errors import Restoring, Unavailable, UnknownJob
from rowcast.jobs.actions.submit import Submitted
from rowcast.jobs.job import Job
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.states import Status
from rowcast.logs import logger


def log_submitted(submitted: Submitted) -> None:
    """Logs that a request was accepted. The later lines of the request name the job as well."""
    new = submitted.new
    bind_contextvars(job=submitted.id)
    logger("gateway").info(
        "job_accepted",
        kind=new.spec.kind,
        model=new.spec.known_as,
        rows=new.rows,
        replayed=submitted.replayed,
    )


def answer_to_new(services: Services, new: NewJob, waiter: Waiter, wait: float) -> Response:
    """Returns the response to a request that made a job.

    The job and a row's outcome are not read from Redis again if the gateway already has them. If Redis has become
    unreachable, it returns the job as it was made: the job was accepted, so a 503 would be wrong. So it does if Redis
    has lost the job of a file, which comes back from the store.

    Raises:
        Restoring: Redis has lost the row while its caller waited.
    """
    try:
        return _newest_answer(services, new, waiter, wait)
    except UnknownJob as error:
        if new.spec.kind == "single":
            raise Restoring(
                "Redis has lost the row, in a fail-over or because it was emptied. Send it again."
            ) from error
        return job_response(new.queued(), 202)
    except Unavailable as error:
        logger("gateway").warning("answered_from_memory", job=new.id, reason=error.detail)
        return job_response(new.queued(), 202)


def _newest_answer(services: Services, new: NewJob, waiter: Waiter, wait: float) -> Response:
    if wait <= 0:  # some chunks of a longer file may be done by now, and a pool may have no worker
        is_known = new.chunks == 1 and not new.spec.pool
        return job_response(new.queued() if is_known else services.records.get(new.id), 202)
    until = time.monotonic() + wait
    waiter.wait(min(wait, RECHECK_SECONDS))
    if waiter.outcome:
        return row_response(new.id, waiter.outcome)
    return _answer(wait_for_end(services, new.id, waiter, until), waited=True)


def answer_to_replayed(services: Services, submitted: Submitted, wait: float) -> Response:
    """Returns the response to a request whose job an earlier request made."""
    with services.notifications.expect(submitted.id) as waiter:
        job = wait_for_end(services, submitted.id, waiter, time.monotonic() + wait)
    response = _answer(job, waited=wait > 0)
    response.headers["Job-Reused" if submitted.reused else "Idempotency-Replayed"] = "true"
    response.status_code = 200 if response.status_code == 202 else response.status_code
    return response


def _answer(job: Job, *, waited: bool) -> Response:
    done = waited and job.status.is_terminal and job.status is not Status.EXPIRED
    return single_response(job) if done and job.is_single else job_response(job, 200 if done else 202)
