"""`POST /predict`: makes a job of a row or a file, and returns the job, or the outcome if the caller waits."""

import time

from flask import Blueprint, Response, request

from api.calls.results import require_csv, result_response, streamed_csv
from api.check import check_response
from api.input.body_types import Form, ManyRows, OneRow, option_parameters
from api.input.live_upload import LiveUpload
from api.input.option_parsing import DRY_RUN, FOLLOW, WAIT, dry_run, preferred_wait, query_follow, query_wait
from api.input.request_body import BODY_ERRORS
from api.input.request_input import FILE_TYPES, FileInput, csv_input, read_input
from api.notifications import Waiter
from api.openapi.call_types import (
    CSV,
    CSV_TYPES,
    JSON,
    NDJSON,
    Answer,
    Call,
    documented,
    header,
)
from api.output.follow import follow_upload
from api.output.responses import (
    LOOKUP_ERRORS,
    RECHECK_SECONDS,
    Prediction,
    job_response,
    own_job,
    row_response,
    single_response,
    wait_for_end,
)
from api.services import Services, current_services
from api.url_prefix import prefix
from rowcast.errors import (
    ModelRefused,
    NotAcceptable,
    Unavailable,
    WrongState,
)
from rowcast.jobs.actions.submit import Submitted, new_id
from rowcast.jobs.check.answer import PublicCheck
from rowcast.jobs.job import Job
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.public_job import PublicJob
from rowcast.jobs.states import Status
from rowcast.logs import logger

blueprint = Blueprint("predict", __name__)

_DOCUMENTED = Call(
    "jobs",
    {
        200: Answer(
            "The prediction of a row that was waited for. Or the job, if it has ended or an earlier request made it. "
            "With `follow`, the result. With `dry_run`, the check.",
            {JSON: Prediction | PublicJob | PublicCheck, CSV: None},
        ),
        202: Answer("The new job.", {JSON: PublicJob}, ("Location", "Retry-After")),
    },
    (*BODY_ERRORS, *LOOKUP_ERRORS, NotAcceptable, WrongState, ModelRefused),
    (
        *option_parameters(),
        WAIT,
        FOLLOW,
        DRY_RUN,
        header("Prefer", "`wait=SECONDS` (RFC 7240), with the same meaning as `?wait=`."),
        header("Idempotency-Key", "Makes the call safe to repeat for 24 hours.", pattern=r"^[\x20-\x7e]{1,255}$"),
        header(
            "Content-Range", "For a check, if the body is only the beginning of a file: `bytes 0-1048575/94000000`."
        ),
        header("Content-Encoding", "`gzip` if the body is compressed with gzip.", enum=["gzip"]),
        header(
            "Content-Disposition",
            'The file name of a body that is not a form, for example `attachment; filename="trip.csv"`.',
        ),
    ),
    {JSON: OneRow | ManyRows, **dict.fromkeys(CSV_TYPES), NDJSON: None, "multipart/form-data": Form},
    {JSON: {"features": [25, 3]}, CSV: "age,pclass\n25,3\n", NDJSON: '{"age": 25, "pclass": 3}\n'},
)


@blueprint.post("/predict")
@documented(_DOCUMENTED)
def predict() -> Response:
    """Makes a job, and waits for its end if the request or the settings say so."""
    services = current_services()
    requested, preferred, follows = query_wait(), preferred_wait(), query_follow()
    wait = next(seconds for seconds in (requested, preferred, services.settings.predict_wait) if seconds is not None)
    id = new_id()
    if follows:
        require_csv()
    if follows and request.mimetype in FILE_TYPES and "Idempotency-Key" not in request.headers and not dry_run():
        return _live(services, id)
    source = read_input(services)
    if isinstance(source, FileInput) and source.is_dry_run:
        return check_response(services, source)
    with services.notifications.expect(id) as waiter:
        submitted = source.submit(services, id)
        _log(submitted)
        if follows:
            return _result(submitted.id)
        if not submitted.replayed:
            response = _answer_to_new(services, submitted.new, waiter, wait)
    if submitted.replayed:
        response = _answer_to_replayed(services, submitted, wait)
    if preferred is not None and requested is None:
        response.headers["Preference-Applied"] = f"wait={preferred:g}"
    return response


def _result(id: str) -> Response:
    """Returns the result of a file that has just been sent, part by part."""
    response = result_response(own_job(id), follows=True)
    response.headers["Location"] = f"{prefix()}/jobs/{id}"
    return response


def _log(submitted: Submitted) -> None:
    new = submitted.new
    logger("gateway").info(
        "job_accepted",
        job=submitted.id,
        kind=new.spec.kind,
        model=str(new.spec.model),
        rows=new.rows,
        replayed=submitted.replayed,
    )


def _answer_to_new(services: Services, new: NewJob, waiter: Waiter, wait: float) -> Response:
    """Returns the response to a request that made a job.

    The job and a row's outcome are not read from Redis again if the gateway already has them. If Redis has become
    unreachable, it returns the job as it was made: the job was accepted, so a 503 would be wrong.
    """
    try:
        return _newest_answer(services, new, waiter, wait)
    except Unavailable as error:
        logger("gateway").warning("answered_from_memory", job=new.id, reason=error.detail)
        return job_response(new.queued(), 202)


def _newest_answer(services: Services, new: NewJob, waiter: Waiter, wait: float) -> Response:
    if wait <= 0:  # some chunks of a longer file may be done by now
        return job_response(new.queued() if new.chunks == 1 else services.records.get(new.id), 202)
    until = time.monotonic() + wait
    waiter.wait(min(wait, RECHECK_SECONDS))
    if waiter.outcome:
        return row_response(new.id, waiter.outcome)
    return _answer(wait_for_end(services, new.id, waiter, until), waited=True)


def _answer_to_replayed(services: Services, submitted: Submitted, wait: float) -> Response:
    with services.notifications.expect(submitted.id) as waiter:
        job = wait_for_end(services, submitted.id, waiter, time.monotonic() + wait)
    response = _answer(job, waited=wait > 0)
    response.headers["Job-Reused" if submitted.reused else "Idempotency-Replayed"] = "true"
    response.status_code = 200 if response.status_code == 202 else response.status_code
    return response


def _answer(job: Job, *, waited: bool) -> Response:
    done = waited and job.status.is_terminal and job.status is not Status.EXPIRED
    return single_response(job) if done and job.is_single else job_response(job, 200 if done else 202)


def _live(services: Services, id: str) -> Response:
    """Returns the result of a file, part by part. If the sender pauses, it begins before the file has ended."""
    upload = LiveUpload()
    source = csv_input(services, upload.pauses)
    services.live_uploads.start(upload, lambda on_progress: source.submit(services, id, on_progress))
    try:
        upload.paused_or_ended.wait()
    except BaseException:  # the server stops
        upload.stop()
        raise
    if upload.has_ended:
        submitted = upload.result()
        _log(submitted)
        return _result(submitted.id)
    response = streamed_csv(follow_upload(services, id, upload), id, source.request.filename, id)
    response.headers["Location"] = f"{prefix()}/jobs/{id}"
    return response
