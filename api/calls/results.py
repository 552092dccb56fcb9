"""`/jobs/ID/result` and `/jobs/ID/errors`: streams the parts in order, with ranges to resume downloads."""

from collections.abc import Iterator
from functools import partial
from itertools import chain, takewhile

from flask import Blueprint, Response, jsonify, request

from api.error_responses import HttpProblem
from api.input.option_parsing import FOLLOW, PARTIAL, WAIT, query_flag, query_wait
from api.openapi.call_types import CSV, JSON, NDJSON, PARQUET, PROBLEM, Answer, Call, documented, header, query
from api.output import ndjson, parquet_file, presigned
from api.output.byte_range import partial_response
from api.output.follow import converting_begun, follow
from api.output.gzip_encoding import encoded_response
from api.output.responses import LOOKUP_ERRORS, POLL_AFTER_SECONDS, UNBUFFERED, attachment, own_job, stem, stem_of
from api.output.result_bytes import ResultBytes, header_line
from api.output.result_parts import PATIENCE_IN_STREAM_SECONDS, Parts
from api.output.rows_to_correct import bad_rows_as_input
from api.services import current_services
from rowcast.errors import (
    JobExpired,
    JobUnfinished,
    NoResult,
    NotAcceptable,
    OptionValue,
    ResultLost,
    Unprocessable,
    WrongState,
)
from rowcast.jobs.job import Job, RowResult
from rowcast.jobs.results import errors_csv
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.jobs.states import Status

blueprint = Blueprint("results", __name__, url_prefix="/jobs")

FORMAT = query(
    "format",
    "The form of a batch's result. It counts before the header `Accept`.",
    type="string",
    enum=["csv", "ndjson", "parquet", presigned.FORMAT],
)
"""OpenAPI entry of the parameter that `_named_form` reads."""

_MEDIA_TYPES = {"csv": RESULT_FORMAT.media_type, "ndjson": ndjson.MEDIA_TYPE, "parquet": parquet_file.MEDIA_TYPE}
_FORMATS = _MEDIA_TYPES | {presigned.FORMAT: presigned.FORMAT}


@blueprint.get("/<id>/result")
@documented(
    Call(
        "jobs",
        {
            200: Answer(
                "The result.",
                {JSON: RowResult | presigned.PresignedResult, CSV: None, NDJSON: None, PARQUET: None},
                ("ETag", "Content-Disposition"),
            ),
            206: Answer("A range of a batch's result.", {CSV: None, PARQUET: None}, ("ETag", "Content-Range")),
            307: Answer("The Parquet file is at this presigned URL of the bucket.", {}, ("Location",)),
            416: Answer("The range begins beyond the end of the result.", {PROBLEM: HttpProblem}, ("Content-Range",)),
        },
        (*LOOKUP_ERRORS, NotAcceptable, WrongState, ResultLost, Unprocessable),
        (
            WAIT,
            FOLLOW,
            PARTIAL,
            FORMAT,
            presigned.FIRST_PART,
            presigned.REDIRECT,
            header("Range", "`bytes=FIRST-LAST`, for a batch's result. Either number may be left out."),
        ),
    )
)
def get_result(id: str) -> Response:
    """Returns a batch's result as CSV, NDJSON or Parquet, or a single job's as JSON."""
    for checked in (query_wait, presigned.query_first_part, partial(query_flag, "redirect")):
        checked()  # a wrong value is an error whatever the format
    return result_response(own_job(id), follows=query_flag("follow"), is_partial=query_flag("partial"))


def result_response(job: Job, *, follows: bool, is_partial: bool = False) -> Response:
    """Returns the result of a job. With `follows`, a batch need not have ended: its parts are sent as they are stored.

    With `is_partial`, a batch may have failed or been cancelled: the rows up to the first chunk that is not done are
    its result.

    Raises:
        NoResult: the job failed or was cancelled. JobUnfinished: it has not ended. JobExpired: its files were removed.
    """
    if follows and job.is_converting:
        job = converting_begun(current_services(), job)
    is_cut = is_partial and not job.is_single and job.status in (Status.FAILED, Status.CANCELLED)
    if not is_cut and not (follows and not job.is_single and not job.status.is_terminal):
        _refuse_without_result(job)
    named = _named_form()
    if job.is_single:
        return jsonify(job.result)
    if named == presigned.FORMAT:
        return presigned.presigned_list(current_services(), job)
    if not job.status.is_terminal:
        require_csv()
    elif (form := named or _accepted_form()) == ndjson.MEDIA_TYPE:
        return _ndjson(job)
    elif form == parquet_file.MEDIA_TYPE:
        return _parquet(job)
    return _file(job) if job.status.is_terminal else _followed(job)


@blueprint.get("/<id>/errors")
@documented(
    Call(
        "jobs",
        {
            200: Answer(
                "A CSV with the columns `row,column,value,message`; with `as=input` with `_row`, `_error`, "
                "`_job` and the columns of the input.",
                {CSV: None},
                ("Content-Disposition",),
            )
        },
        (*LOOKUP_ERRORS, WrongState, ResultLost, Unprocessable),
        (
            query(
                "as",
                "`input`: the bad rows themselves, to correct and send to `POST /jobs/ID/repair`. "
                "`list`: what is wrong with them.",
                type="string",
                enum=["list", "input"],
            ),
        ),
    )
)
def get_errors(id: str) -> Response:
    """Returns the rows of an ended job that could not be predicted, as CSV."""
    job = own_job(id)
    form = request.args.get("as", "list")
    if form not in ("list", "input"):
        raise OptionValue.at("as", "must be list or input")
    if not job.status.is_terminal:
        raise JobUnfinished(
            f"Job {id} is {job.status}. Its errors are complete when it ends.", None, POLL_AFTER_SECONDS
        )
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The files of job {id} have expired. Send the rows again.")
    parts = Parts(current_services(), job.id, job.chunks_total, job.revisions)
    parts.require_whole(job.chunks_done)
    if form == "input":
        response = Response(bad_rows_as_input(current_services(), job, parts), content_type=errors_csv.CONTENT_TYPE)
        response.headers["Content-Disposition"] = attachment(f"{stem(job)}-bad-rows.csv")
        return response
    header = errors_csv.ERRORS_HEADER

    def stream() -> Iterator[bytes]:
        yield header
        for number, part in enumerate(parts.stored):
            if part.error_bytes:
                yield parts.errors(number, PATIENCE_IN_STREAM_SECONDS)

    response = Response(stream(), content_type=errors_csv.CONTENT_TYPE)
    response.content_length = len(header) + sum(part.error_bytes for part in parts.stored)
    response.headers["Content-Disposition"] = attachment(f"{stem(job)}-errors.csv")
    return response


def _refuse_without_result(job: Job) -> None:
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The result of job {job.id} has expired. Send the rows again.")
    if job.status in (Status.FAILED, Status.CANCELLED):
        ended = "failed" if job.status is Status.FAILED else "was cancelled"
        raise NoResult(f"Job {job.id} {ended} and has no result.", job.error)
    if not job.status.is_terminal:
        raise JobUnfinished(f"Job {job.id} is {job.status}. Its result is not complete yet.", None, POLL_AFTER_SECONDS)


def require_csv() -> None:
    """Checks that the request takes CSV, the only form in which a result can be followed.

    Raises:
        NotAcceptable: it asks for another form. OptionValue: there is no such form.
    """
    if (_named_form() or _accepted_form()) != RESULT_FORMAT.media_type:
        raise NotAcceptable(
            "A result that is followed is only available as CSV; the other formats are when the job has ended."
        )


def _named_form() -> str | None:
    """Returns the media type that `?format=` asks for."""
    named = request.args.get("format")
    if named is not None and named not in _FORMATS:
        raise OptionValue.at("format", f"must be one of {', '.join(_FORMATS)}")
    return None if named is None else _FORMATS[named]


def _accepted_form() -> str:
    """Returns the media type that the header `Accept` asks for."""
    if not request.accept_mimetypes:
        return RESULT_FORMAT.media_type
    found = request.accept_mimetypes.best_match(list(_MEDIA_TYPES.values()))
    if found is None:
        taken = " and ".join(_MEDIA_TYPES.values())
        raise NotAcceptable(f"The result is available as {taken}. Remove the header `Accept`, or add one of them.")
    return found


def _ndjson(job: Job) -> Response:
    """Returns the result as NDJSON. Its length is not known before it is made, so it has no ranges."""
    services = current_services()
    parts = Parts(services, job.id, job.chunks_total, job.revisions)
    parts.require_whole(job.chunks_done)
    models = services.models_of(job)
    stored = takewhile(lambda number: parts.stored[number].is_stored, range(len(parts.stored)))
    scored = (number for number in stored if parts.stored[number].rows)  # without the blank rows at the end
    read = (parts.read(number, 0, PATIENCE_IN_STREAM_SECONDS) for number in scored)
    lines = ndjson.ndjson(read, job, models)
    first = next(lines, b"")  # if the store is unavailable, respond with 503 now instead of a broken 200 later
    lines = chain([first], lines)
    response = Response(lines, content_type=ndjson.MEDIA_TYPE, headers=UNBUFFERED)
    response.headers["Content-Disposition"] = attachment(f"{stem(job)}-predictions.ndjson")
    response.vary.add("Accept")
    return encoded_response(response, lines)


def _file(job: Job) -> Response:
    content = ResultBytes(current_services(), job)
    content.prefetch()  # if the store is unavailable, respond with 503 now instead of a broken 200 later
    response = Response(content, content_type=RESULT_FORMAT.content_type, direct_passthrough=True)
    response.content_length = content.length
    # After a retry there are more parts, so a partial result has another tag.
    response.set_etag(_tag(job) if job.status is Status.SUCCEEDED else f"{job.id}-{content.length}")
    response.headers["Content-Disposition"] = attachment(f"{stem(job)}-predictions.{RESULT_FORMAT.extension}")
    response.vary.add("Accept")
    encoded = encoded_response(response, content)
    if "Content-Encoding" in encoded.headers:
        return encoded
    return partial_response(response, request.environ, content.length)


def _parquet(job: Job) -> Response:
    if job.status is not Status.SUCCEEDED:
        raise NotAcceptable("The rows of a job that has not succeeded are only available as CSV and NDJSON.")
    services, wait_seconds = current_services(), query_wait()
    redirects = query_flag("redirect") and presigned.presigns(services)
    content = parquet_file.written_file(
        services,
        job,
        parquet_file.WAIT_SECONDS if wait_seconds is None else wait_seconds,
        is_read=not redirects,
    )
    if redirects:
        return presigned.redirect_to_parquet(services, job, content.file)
    response = Response(content, content_type=parquet_file.MEDIA_TYPE, direct_passthrough=True)
    response.content_length = content.file.length
    response.set_etag(content.file.sha256)
    response.vary.add("Accept")
    response.headers["Content-Disposition"] = attachment(f"{stem(job)}-predictions.parquet")
    return partial_response(response, request.environ, content.file.length)


def _tag(job: Job) -> str:
    """Returns the entity tag of a whole result, which a repair changes."""
    return f"{job.id}-repair-{job.repairs}" if job.repairs else job.id


def _followed(job: Job) -> Response:
    filename = job.spec.input.filename if job.spec.input else None
    blocks = follow(current_services(), job, header_line(current_services(), job))
    return streamed_csv(blocks, job.id, filename, _tag(job))


def streamed_csv(blocks: Iterator[bytes], id: str, filename: str | None, tag: str) -> Response:
    """Returns a response that streams the result of a job that has not ended.

    `filename` is that of the input. `tag` is that of the finished result, whose bytes are the same: so a broken
    download can be resumed.
    """
    response = Response(blocks, content_type=RESULT_FORMAT.content_type, headers=UNBUFFERED)
    response.set_etag(tag)
    name = f"{stem_of(id, filename)}-predictions.{RESULT_FORMAT.extension}"
    response.headers["Content-Disposition"] = attachment(name)
    return encoded_response(response, blocks)
