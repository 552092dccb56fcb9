"""`/jobs/ID/result` and `/jobs/ID/errors`: streams the parts in order, with ranges to resume downloads."""

import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request
from werkzeug.http import dump_options_header

from api.error_responses import HttpProblem
from api.input.option_parsing import FOLLOW, query_follow
from api.openapi.call_types import CSV, JSON, PROBLEM, Answer, Call, documented, header
from api.output.byte_range import partial_response
from api.output.follow import follow
from api.output.responses import LOOKUP_ERRORS, POLL_AFTER_SECONDS, UNBUFFERED, own_job
from api.output.result_parts import PATIENCE_IN_STREAM_SECONDS, PATIENCE_SECONDS, Parts, require_kept
from api.services import Services, current_services
from rowcast.errors import JobExpired, JobUnfinished, NoResult, NotAcceptable, ResultLost, Unprocessable, WrongState
from rowcast.jobs.job import Job, RowResult
from rowcast.jobs.results import errors_csv
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.jobs.states import Status

blueprint = Blueprint("results", __name__, url_prefix="/jobs")

_STEM_CHARACTERS = 200


@blueprint.get("/<id>/result")
@documented(
    Call(
        "jobs",
        {
            200: Answer("The result.", {JSON: RowResult, CSV: None}, ("ETag", "Content-Disposition")),
            206: Answer("A range of a batch's result.", {CSV: None}, ("ETag", "Content-Range")),
            416: Answer("The range begins beyond the end of the result.", {PROBLEM: HttpProblem}, ("Content-Range",)),
        },
        (*LOOKUP_ERRORS, NotAcceptable, WrongState, ResultLost, Unprocessable),
        (FOLLOW, header("Range", "`bytes=FIRST-LAST`, for a batch's result. Either number may be left out.")),
    )
)
def get_result(id: str) -> Response:
    """Returns a batch's result as CSV, or a single job's as JSON."""
    return result_response(own_job(id), follows=query_follow())


def result_response(job: Job, *, follows: bool) -> Response:
    """Returns the result of a job. With `follows`, a batch need not have ended: its parts are sent as they are stored.

    Raises:
        NoResult: the job failed or was cancelled. JobUnfinished: it has not ended. JobExpired: its files were removed.
    """
    if not (follows and not job.is_single and not job.status.is_terminal):
        _refuse_without_result(job)
    if job.is_single:
        return jsonify(job.result)
    _refuse_other_forms()
    return _file(job) if job.status.is_terminal else _followed(job)


@blueprint.get("/<id>/errors")
@documented(
    Call(
        "jobs",
        {200: Answer("A CSV with the columns `row,column,value,message`.", {CSV: None}, ("Content-Disposition",))},
        (*LOOKUP_ERRORS, WrongState, ResultLost),
    )
)
def get_errors(id: str) -> Response:
    """Returns the rows of an ended job that could not be predicted, as CSV."""
    job = own_job(id)
    if not job.status.is_terminal:
        raise JobUnfinished(
            f"Job {id} is {job.status}. Its errors are complete when it ends.", None, POLL_AFTER_SECONDS
        )
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The files of job {id} have expired. Send the rows again.")
    parts = Parts(current_services(), job.id, job.chunks_total)
    parts.require_whole(job.chunks_done)
    header = errors_csv.ERRORS_HEADER

    def stream() -> Iterator[bytes]:
        yield header
        for number, part in enumerate(parts.stored):
            if part.error_bytes:
                yield parts.errors(number, PATIENCE_IN_STREAM_SECONDS)

    response = Response(stream(), content_type=errors_csv.CONTENT_TYPE)
    response.content_length = len(header) + sum(part.error_bytes for part in parts.stored)
    response.headers["Content-Disposition"] = _attachment(f"{_stem(job)}-errors.csv")
    return response


def _refuse_without_result(job: Job) -> None:
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The result of job {job.id} has expired. Send the rows again.")
    if job.status in (Status.FAILED, Status.CANCELLED):
        ended = "failed" if job.status is Status.FAILED else "was cancelled"
        raise NoResult(f"Job {job.id} {ended} and has no result.", job.error)
    if not job.status.is_terminal:
        raise JobUnfinished(f"Job {job.id} is {job.status}. Its result is not complete yet.", None, POLL_AFTER_SECONDS)


def _refuse_other_forms() -> None:
    if request.accept_mimetypes and not request.accept_mimetypes.best_match([RESULT_FORMAT.media_type]):
        raise NotAcceptable(
            f"The result is only available as {RESULT_FORMAT.media_type}. Remove the header `Accept`, or add that type."
        )


def _file(job: Job) -> Response:
    content = ResultBytes(current_services(), job)
    content.prefetch()  # if the store is unavailable, respond with 503 now instead of a broken 200 later
    response = Response(content, content_type=RESULT_FORMAT.content_type, direct_passthrough=True)
    response.content_length = job.result_bytes
    response.set_etag(job.id)
    response.headers["Content-Disposition"] = _attachment(f"{_stem(job)}-predictions.{RESULT_FORMAT.extension}")
    return partial_response(response, request.environ, job.result_bytes)


def _followed(job: Job) -> Response:
    filename = job.spec.input.filename if job.spec.input else None
    return streamed_csv(follow(current_services(), job, _header_line(current_services(), job)), job.id, filename)


def streamed_csv(blocks: Iterator[bytes], id: str, filename: str | None) -> Response:
    """Returns a response that streams the result of a job that has not ended. `filename` is that of the input."""
    response = Response(blocks, content_type=RESULT_FORMAT.content_type, headers=UNBUFFERED)
    response.set_etag(id)  # the bytes equal those of the finished result, so a broken download can be resumed
    name = f"{_stem_of(id, filename)}-predictions.{RESULT_FORMAT.extension}"
    response.headers["Content-Disposition"] = _attachment(name)
    return response


def _header_line(services: Services, job: Job) -> bytes:
    try:
        return services.files.get_header(job.id)
    except FileNotFoundError:
        require_kept(services, job.id)
        raise ResultLost(f"The header line of the result of job {job.id} is lost. Send the file again.") from None


class ResultBytes:
    """The header line and the parts as one seekable sequence of bytes, which Werkzeug needs for ranges."""

    def __init__(self, services: Services, job: Job) -> None:
        self._services, self._job = services, job
        self._parts = Parts(services, job.id, job.chunks_total)
        self._sizes = [job.spec.header_bytes, *(part.part_bytes for part in self._parts.stored)]
        self._piece = self._offset = 0
        """Piece and offset at which the next block begins. The header line is piece 0, part n is piece n + 1."""
        self._blocks: Iterator[bytes] = iter(())
        self._ready: list[bytes] = []

    def prefetch(self) -> None:
        """Reads the header line and the first part, so that an error is raised before the response begins."""
        self._parts.require_whole(self._job.chunks_done)
        self._ready = [self._read(PATIENCE_SECONDS) for _ in self._sizes[:2]]

    def __iter__(self) -> "ResultBytes":
        return self

    def __next__(self) -> bytes:
        block = self._ready.pop(0) if self._ready else self._read(PATIENCE_IN_STREAM_SECONDS)
        if not block:
            raise StopIteration
        return block

    def seekable(self) -> bool:
        """Returns True: `seek` works."""
        return True

    def seek(self, position: int) -> None:
        """Moves to an offset from the beginning."""
        self._ready, self._blocks, self._piece = [], iter(()), 0
        while self._piece < len(self._sizes) and position >= self._sizes[self._piece]:
            position -= self._sizes[self._piece]
            self._piece += 1
        self._offset = position

    def tell(self) -> int:
        """Returns the offset of the next byte."""
        return sum(self._sizes[: self._piece]) + self._offset - sum(map(len, self._ready))

    def _read(self, patience_seconds: float) -> bytes:
        while not (block := next(self._blocks, b"")):
            while self._piece < len(self._sizes) and self._offset >= self._sizes[self._piece]:
                self._piece, self._offset = self._piece + 1, 0
            if self._piece == len(self._sizes):
                return b""
            self._blocks = self._piece_from(self._piece, self._offset, patience_seconds)
        self._offset += len(block)
        return block

    def _piece_from(self, piece: int, start: int, patience_seconds: float) -> Iterator[bytes]:
        if piece == 0:
            return iter([_header_line(self._services, self._job)[start:]])
        return self._parts.read(piece - 1, start, patience_seconds)


def _stem(job: Job) -> str:
    return _stem_of(job.id, job.spec.input.filename if job.spec.input else None)


def _stem_of(id: str, filename: str | None) -> str:
    """Returns the input's name without folders, extension and unprintable characters. If it is empty, returns `id`."""
    stem = PurePath((filename or "").replace("\\", "/")).name
    stem = re.sub(r"(\.[^.]*)?(\.gz)?$", "", stem, count=1, flags=re.IGNORECASE)
    return "".join(filter(str.isprintable, stem))[:_STEM_CHARACTERS].strip(". ") or id


def _attachment(name: str) -> str:
    """Returns the value of Content-Disposition (RFC 6266 §4.3). A name beyond ASCII also has an ASCII version."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    names = {"filename": plain} if plain == name else {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}
    return dump_options_header("attachment", names)
