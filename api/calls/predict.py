"""`POST /predict`: makes a job of a row or a file, and returns the job, or the outcome if the caller waits."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, g, request
from werkzeug.http import parse_options_header

from api.calls.results import result_response, streamed_csv
from api.input.body_types import Form, ManyRows, OneRow, option_parameters
from api.input.content_sniffing import unpacked
from api.input.decompression import gunzip
from api.input.json_rows import instances_csv, ndjson_csv, parse
from api.input.live_upload import LiveUpload, Pauses
from api.input.multipart import read_form
from api.input.option_parsing import FOLLOW, WAIT, preferred_wait, query_follow, query_wait, read_options
from api.input.request_body import BODY_ERRORS, in_steps, read_blocks, read_whole
from api.notifications import Waiter
from api.openapi.call_types import (
    CSV,
    CSV_TYPES,
    JSON,
    NDJSON,
    TAB_SEPARATED,
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
    BodyShape,
    BrokenForm,
    ModelRefused,
    NotAcceptable,
    OptionUnsuitable,
    OptionValue,
    Unavailable,
    UnsupportedType,
    WrongState,
)
from rowcast.jobs.actions.submit import Submitted, new_id
from rowcast.jobs.job import Job
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.public_job import PublicJob
from rowcast.jobs.request import Request
from rowcast.jobs.states import Status
from rowcast.logs import logger
from rowcast.models.row_values import row_values

blueprint = Blueprint("predict", __name__)

_OF_JSON = {"delimiter": ",", "encoding": "utf-8"}
"""Values of CSV options that requests with JSON rows may have, because they change nothing."""

_FILE_TYPES = (*CSV_TYPES, "application/x-www-form-urlencoded", "")
"""Content types of CSV files. `curl --data-binary` and `curl -T` send the last two by default."""

_KEY = re.compile(r"^[\x20-\x7e]{1,255}$")


_DOCUMENTED = Call(
    "jobs",
    {
        200: Answer(
            "The prediction of a row that was waited for. Or the job, if it has ended or an earlier request made it. "
            "With `follow`, the result.",
            {JSON: Prediction | PublicJob, CSV: None},
        ),
        202: Answer("The new job.", {JSON: PublicJob}, ("Location", "Retry-After")),
    },
    (*BODY_ERRORS, *LOOKUP_ERRORS, NotAcceptable, WrongState, ModelRefused),
    (
        *option_parameters(),
        WAIT,
        FOLLOW,
        header("Prefer", "`wait=SECONDS` (RFC 7240), with the same meaning as `?wait=`."),
        header("Idempotency-Key", "Makes the call safe to repeat for 24 hours.", pattern=r"^[\x20-\x7e]{1,255}$"),
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
    if follows and request.mimetype in _FILE_TYPES and "Idempotency-Key" not in request.headers:
        return _live(services, id)
    with services.notifications.expect(id) as waiter:
        submitted = _form_of_body()(services, id)
        _log(submitted)
        if follows:
            return _result(submitted.id)
        if not submitted.replayed:
            response = _answer_to_new(services, submitted.new, waiter, wait)
    if submitted.replayed:
        response = _answer_to_replayed(services, submitted.id, wait)
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
        "job_taken",
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


def _answer_to_replayed(services: Services, id: str, wait: float) -> Response:
    with services.notifications.expect(id) as waiter:
        job = wait_for_end(services, id, waiter, time.monotonic() + wait)
    response = _answer(job, waited=wait > 0)
    response.headers["Idempotency-Replayed"] = "true"
    response.status_code = 200 if response.status_code == 202 else response.status_code
    return response


def _answer(job: Job, *, waited: bool) -> Response:
    done = waited and job.status.is_terminal and job.status is not Status.EXPIRED
    return single_response(job) if done and job.is_single else job_response(job, 200 if done else 202)


def _form_of_body() -> Callable[[Services, str], Submitted]:
    forms = {
        "application/json": _json,
        "application/x-ndjson": _ndjson,
        "multipart/form-data": _multipart,
        **dict.fromkeys(_FILE_TYPES, _csv),
    }
    if request.mimetype not in forms:
        taken = ", ".join(filter(None, forms))
        raise UnsupportedType(f"Content-Type {request.mimetype!r} is not supported; send one of {taken}.")
    return forms[request.mimetype]


def _json(services: Services, id: str) -> Submitted:
    body = parse(read_whole(services.settings))
    if not isinstance(body, Mapping):
        raise BodyShape.at("body", "must be a JSON object with `features` or `instances`")
    rest = {name: value for name, value in body.items() if name not in ("features", "instances")}
    if ("features" in body) == ("instances" in body):
        raise BodyShape.at("body", "must have either `features` (one row) or `instances` (many rows)")
    job_request = _request(services, read_options(rest))
    if "features" in body:
        if query_follow():
            raise OptionUnsuitable.at("follow", "is only for files; for one row use `wait`")
        return services.jobs.submit_row(job_request, row_values(body["features"], job_request.manifest), id)
    _refuse_dialect(job_request.options)
    rows = instances_csv(body["instances"], job_request.manifest)
    return services.jobs.submit_file(job_request, [rows], id, is_generated=True)


def _ndjson(services: Services, id: str) -> Submitted:
    job_request = _request(services, read_options(), filename=_filename())
    _refuse_dialect(job_request.options)
    rows = ndjson_csv(in_steps(read_blocks(services.settings)), services.settings.max_row_bytes)
    return services.jobs.submit_file(job_request, rows, id, is_generated=True)


def _live(services: Services, id: str) -> Response:
    """Returns the result of a file, part by part. If the sender pauses, it begins before the file has ended."""
    upload = LiveUpload()
    job_request, content = _csv_input(services, upload.pauses)
    services.live_uploads.start(
        upload, lambda on_progress: services.jobs.submit_file(job_request, content, id, on_progress=on_progress)
    )
    try:
        upload.paused_or_ended.wait()
    except BaseException:  # the server stops
        upload.stop()
        raise
    if upload.has_ended:
        submitted = upload.result()
        _log(submitted)
        return _result(submitted.id)
    response = streamed_csv(follow_upload(services, id, upload), id, job_request.filename)
    response.headers["Location"] = f"{prefix()}/jobs/{id}"
    return response


def _csv(services: Services, id: str) -> Submitted:
    job_request, content = _csv_input(services)
    return services.jobs.submit_file(job_request, content, id)


def _csv_input(services: Services, pauses: Pauses | None = None) -> tuple[Request, Iterator[bytes]]:
    options = read_options()
    if request.mimetype == TAB_SEPARATED and "delimiter" not in options.model_fields_set:
        options = options.model_copy(update={"delimiter": "\t"})
    if "encoding" not in options.model_fields_set:
        _refuse_charset(request.mimetype_params)
    job_request = _request(services, options, filename=_filename())
    return job_request, unpacked(read_blocks(services.settings, pauses=pauses), services.settings.max_upload_bytes)


def _multipart(services: Services, id: str) -> Submitted:
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise BrokenForm("The Content-Type `multipart/form-data` has no `boundary`. Let an HTTP library write it.")
    form = read_form(read_blocks(services.settings), boundary.encode())
    job_request = _request(services, read_options(form.fields), filename=form.filename)
    content, max_bytes = form.content, services.settings.max_upload_bytes
    if form.filename and form.filename.lower().endswith(".gz"):
        content = gunzip(content, max_bytes)
    return services.jobs.submit_file(job_request, unpacked(content, max_bytes), id)


def _request(services: Services, options: Options, filename: str | None = None) -> Request:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise OptionValue.at("Idempotency-Key", "must have 1 to 255 printable ASCII characters")
    manifest = services.default_model.resolve() if options.model is None else services.registry.resolve(options.model)
    if options.probabilities and not manifest.probabilities:
        raise OptionUnsuitable.at("probabilities", f"{manifest.name}@{manifest.version} does not return probabilities")
    if options.scores and manifest.scores is None:
        raise OptionUnsuitable.at("scores", f"{manifest.name}@{manifest.version} has no `decision_function`")
    return Request(manifest, options, g.owner, g.request_id, key, filename)


def _refuse_dialect(options: Options) -> None:
    """Refuses options about the format of a CSV, which have no meaning for rows in JSON."""
    for name in ("delimiter", "decimal", "encoding", "header"):
        if getattr(options, name) not in (Options.model_fields[name].default, _OF_JSON.get(name)):
            raise OptionUnsuitable.at(name, "is only for CSV files")


def _refuse_charset(parameters: Mapping[str, Any]) -> None:
    charset = parameters.get("charset", "utf-8").lower()
    if charset not in ("utf-8", "utf8", "us-ascii"):
        raise UnsupportedType(f"charset={charset!r} is not supported; send UTF-8, or use the option `encoding`.")


def _filename() -> str | None:
    """Returns the file name of a raw body, if `Content-Disposition` has one."""
    _, parameters = parse_options_header(request.headers.get("Content-Disposition"))
    return parameters.get("filename") or None
