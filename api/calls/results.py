"""`/jobs/ID/result` and `/jobs/ID/errors`: the parts in order, streamed, with ranges for broken downloads."""

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
from rowcast.jobs.result_header import ERRORS_HEADER
from rowcast.jobs.states import Status

blueprint = Blueprint("results", __name__, url_prefix="/jobs")

_CSV = "text/csv; charset=utf-8"
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
    """A batch's CSV, or a single job's JSON."""
    return result_response(own_job(id), follows=query_follow())


def result_response(job: Job, *, follows: bool) -> Response:
    """The result; `follows`: of a batch that has not ended, too, part by part as they come.

    Raises:
        NoResult, JobUnfinished: there is none, or not yet. JobExpired: its files are gone.
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
    """The rows that could not be predicted, of a job that has ended."""
    job = own_job(id)
    if not job.status.is_terminal:
        raise JobUnfinished(f"Job {id} is {job.status}; its errors are complete at its end.", None, POLL_AFTER_SECONDS)
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The files of job {id} have expired.")
    parts = Parts(current_services(), job.id, job.chunks_total)
    parts.require_whole(job.chunks_done)
    head = ERRORS_HEADER

    def stream() -> Iterator[bytes]:
        yield head
        for number, part in enumerate(parts.stored):
            if part.error_bytes:
                yield parts.errors(number, PATIENCE_IN_STREAM_SECONDS)

    response = Response(stream(), content_type=_CSV)
    response.content_length = len(head) + sum(part.error_bytes for part in parts.stored)
    response.headers["Content-Disposition"] = _attachment(f"{_stem(job)}-errors.csv")
    return response


def _refuse_without_result(job: Job) -> None:
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The result of job {job.id} has expired.")
    if job.status in (Status.FAILED, Status.CANCELLED):
        ended = "has failed" if job.status is Status.FAILED else "was cancelled"
        raise NoResult(f"Job {job.id} {ended} and has no result.", job.error)
    if not job.status.is_terminal:
        raise JobUnfinished(f"Job {job.id} is {job.status}; its result is not complete.", None, POLL_AFTER_SECONDS)


def _refuse_other_forms() -> None:
    if request.accept_mimetypes and not request.accept_mimetypes.best_match(["text/csv"]):
        raise NotAcceptable("The result can be had as text/csv.")


def _file(job: Job) -> Response:
    content = ResultBytes(current_services(), job)
    content.prefetch()  # a store that is away answers 503 now, not a broken 200 later
    response = Response(content, content_type=_CSV, direct_passthrough=True)
    response.content_length = job.result_bytes
    response.set_etag(job.id)
    response.headers["Content-Disposition"] = _attachment(f"{_stem(job)}-predictions.csv")
    return partial_response(response, request.environ, job.result_bytes)


def _followed(job: Job) -> Response:
    filename = job.spec.input.filename if job.spec.input else None
    return streamed_csv(follow(current_services(), job, _head(current_services(), job)), job.id, filename)


def streamed_csv(blocks: Iterator[bytes], id: str, filename: str | None) -> Response:
    """A result of a job that has not ended, as it comes; `filename` is the input's."""
    response = Response(blocks, content_type=_CSV, headers=UNBUFFERED)
    response.set_etag(id)  # the bytes are those of the finished result: a broken one can be resumed from that
    response.headers["Content-Disposition"] = _attachment(f"{_stem_of(id, filename)}-predictions.csv")
    return response


def _head(services: Services, job: Job) -> bytes:
    try:
        return services.files.get_header(job.id)
    except FileNotFoundError:
        require_kept(services, job.id)
        raise ResultLost(f"The header line of job {job.id}'s result is lost: send the file again.") from None


class ResultBytes:
    """Head and parts as one sequence of bytes that can be sought in, which is what Werkzeug's ranges work on."""

    def __init__(self, services: Services, job: Job) -> None:
        self._services, self._job = services, job
        self._parts = Parts(services, job.id, job.chunks_total)
        self._sizes = [job.spec.head_bytes, *(part.part_bytes for part in self._parts.stored)]
        self._piece = self._offset = 0
        """Where the next block begins: the head is piece 0, part n is piece n + 1."""
        self._blocks: Iterator[bytes] = iter(())
        self._ready: list[bytes] = []

    def prefetch(self) -> None:
        """Reads the head and the first part now, so that a fault shows before the answer begins."""
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
        """Whether `seek` works: it does."""
        return True

    def seek(self, position: int) -> None:
        """Goes to an offset from the beginning."""
        self._ready, self._blocks, self._piece = [], iter(()), 0
        while self._piece < len(self._sizes) and position >= self._sizes[self._piece]:
            position -= self._sizes[self._piece]
            self._piece += 1
        self._offset = position

    def tell(self) -> int:
        """The offset of the next byte."""
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
            return iter([_head(self._services, self._job)[start:]])
        return self._parts.read(piece - 1, start, patience_seconds)


def _stem(job: Job) -> str:
    return _stem_of(job.id, job.spec.input.filename if job.spec.input else None)


def _stem_of(id: str, filename: str | None) -> str:
    """The input's name without folders, endings and what a header cannot carry, or the job's id where it had none."""
    stem = PurePath((filename or "").replace("\\", "/")).name
    stem = re.sub(r"(\.[^.]*)?(\.gz)?$", "", stem, count=1, flags=re.IGNORECASE)
    return "".join(filter(str.isprintable, stem))[:_STEM_CHARACTERS].strip(". ") or id


def _attachment(name: str) -> str:
    """The value of Content-Disposition (RFC 6266 §4.3): a name beyond ASCII goes beside what ASCII has of it."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    names = {"filename": plain} if plain == name else {"filename": plain, "filename*": f"UTF-8''{quote(name, safe='')}"}
    return dump_options_header("attachment", names)
