"""`POST /predict`: makes a job of a row or a file, and returns the job, or the outcome if the caller waits."""

from flask import Blueprint, Response, request
from structlog.contextvars import bind_contextvars

from api.calls.results import require_csv, result_response, streamed_csv
from api.checking.file_check import check_response
from api.input.body_types import FilesByUrl, Form, ManyRows, OneRow, option_parameters
from api.input.live_upload import LiveUpload
from api.input.option_parsing import DRY_RUN, FOLLOW, WAIT, dry_run, preferred_wait, query_flag, query_wait
from api.input.request_body import BODY_ERRORS, ENCODINGS
from api.input.request_input import CONVERTED_TYPES, FILE_TYPES, FileInput, csv_input, read_input
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
from api.output.job_answer import answer_to_new, answer_to_replayed, log_submitted
from api.output.responses import LOOKUP_ERRORS, Prediction, own_job
from api.services import Services, current_services
from api.url_prefix import prefix
from api.url_request import UrlRequest
from rowcast.errors import ModelRefused, NotAcceptable, WrongState
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.check.answer import PublicCheck
from rowcast.jobs.public_job import PublicJob

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
        header("Content-Encoding", "`gzip` if the body is compressed with gzip.", enum=[*ENCODINGS]),
        header(
            "Content-Disposition",
            'The file name of a body that is not a form, for example `attachment; filename="trip.csv"`.',
        ),
    ),
    {
        JSON: OneRow | ManyRows | FilesByUrl,
        **dict.fromkeys((*CSV_TYPES, *CONVERTED_TYPES)),
        NDJSON: None,
        "multipart/form-data": Form,
    },
    {JSON: {"features": [25, 3]}, CSV: "age,pclass\n25,3\n", NDJSON: '{"age": 25, "pclass": 3}\n'},
)


@blueprint.post("/predict")
@documented(_DOCUMENTED)
def predict() -> Response:
    """Makes a job, and waits for its end if the request or the settings say so."""
    services = current_services()
    requested, preferred, follows = query_wait(), preferred_wait(), query_flag("follow")
    wait = next(seconds for seconds in (requested, preferred, services.settings.predict_wait) if seconds is not None)
    id = new_id()
    if follows:
        require_csv()
    if follows and request.mimetype in FILE_TYPES and "Idempotency-Key" not in request.headers and not dry_run():
        return _live(services, id)
    source = read_input(services)
    if isinstance(source, FileInput | UrlRequest) and source.is_dry_run:
        return check_response(services, source)
    with services.notifications.expect(id) as waiter:
        submitted = source.submit(services, id)
        log_submitted(submitted)
        if follows:
            return _result(submitted.id)
        if not submitted.replayed:
            response = answer_to_new(services, submitted.new, waiter, wait)
    if submitted.replayed:
        response = answer_to_replayed(services, submitted, wait)
    if preferred is not None and requested is None:
        response.headers["Preference-Applied"] = f"wait={preferred:g}"
    return response


def _result(id: str) -> Response:
    """Returns the result of a file that has just been sent, part by part."""
    response = result_response(own_job(id), follows=True)
    response.headers["Location"] = f"{prefix()}/jobs/{id}"
    return response


def _live(services: Services, id: str) -> Response:
    """Returns the result of a file, part by part. If the sender pauses, it begins before the file has ended."""
    upload = LiveUpload()
    source = csv_input(services, upload.pauses)
    bind_contextvars(job=id)
    services.live_uploads.start(upload, lambda on_progress: source.submit(services, id, on_progress))
    try:
        upload.paused_or_ended.wait()
    except BaseException:  # the server stops
        upload.stop()
        raise
    if upload.has_ended:
        submitted = upload.result()
        log_submitted(submitted)
        return _result(submitted.id)
    response = streamed_csv(follow_upload(services, id, upload), id, source.request.filename, id)
    response.headers["Location"] = f"{prefix()}/jobs/{id}"
    return response
