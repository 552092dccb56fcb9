"""`/uploads`: files that come in several requests, so that a broken connection costs seconds.

The verbs are those of the draft "Resumable Uploads for HTTP" of the IETF (draft-ietf-httpbis-resumable-upload).
"""

import re
import socket
from collections.abc import Iterator
from contextlib import suppress

from flask import Blueprint, Response, g, request

from api.input.body_types import option_parameters
from api.input.chunk_cutter import Turn
from api.input.option_parsing import WAIT, dry_run, preferred_wait, query_flag, query_wait
from api.input.request_body import BODY_ERRORS, ENCODINGS, is_body_gzip, read_raw
from api.input.request_input import FILE_TYPES, csv_request
from api.openapi.call_types import CSV_TYPES, JSON, Answer, Call, documented, header
from api.output.early_response import close_after
from api.output.job_answer import answer_to_new, answer_to_replayed, log_submitted
from api.output.responses import LOOKUP_ERRORS, job_response, own_job
from api.services import Services, current_services
from api.url_prefix import prefix
from rowcast.errors import (
    BodyCutShort,
    OptionUnsuitable,
    OptionValue,
    TooLarge,
    UnsupportedType,
    WrongOffset,
    WrongState,
)
from rowcast.jobs.public_job import PublicJob
from rowcast.jobs.records.resumable_uploads import Hold, UploadRecord
from rowcast.jobs.states import UploadState
from rowcast.logs import logger
from rowcast.wording.quantity import counted

blueprint = Blueprint("resumable", __name__, url_prefix="/uploads")

PARTIAL_TYPE = "application/partial-upload"
"""The content type of a piece of a file, in the draft. Others are taken, too."""

_NUMBER = re.compile(r"[0-9]{1,15}")
_FLAGS = {"?1": True, "?0": False}
"""Booleans of structured fields (RFC 9651 section 3.3.6)."""

_OFFSET = header(
    "Upload-Offset", "Number of bytes of the file that the service has.", pattern=r"^[0-9]{1,15}$", examples=["0"]
)
_COMPLETE = header("Upload-Complete", "`?1` with the last piece of the file.", enum=["?0", "?1"])
_OF_THE_FILE = (
    header("Upload-Length", "Length of the whole file in bytes.", pattern=r"^[0-9]{1,15}$"),
    header("Idempotency-Key", "As for `POST /predict`.", pattern=r"^[\x20-\x7e]{1,255}$"),
    header("Content-Encoding", "`gzip` if the file is compressed with gzip.", enum=[*ENCODINGS]),
    header("Content-Disposition", 'The file name, for example `attachment; filename="trip.csv"`.'),
)


@blueprint.post("")
@documented(
    Call(
        "uploads",
        {201: Answer("The upload was created.", headers=("Location", "Upload-Offset"))},
        (*BODY_ERRORS, *LOOKUP_ERRORS),
        (*option_parameters(), *_OF_THE_FILE),
    )
)
def create_upload() -> Response:
    """Creates a resumable upload. Options and headers describe the file, as for `POST /predict`; it has no body."""
    services = current_services()
    if request.mimetype not in FILE_TYPES:
        raise UnsupportedType(
            f"Content-Type {request.mimetype!r} cannot be sent in pieces; name the file's type: {', '.join(CSV_TYPES)}."
        )
    if request.content_length or "Transfer-Encoding" in request.headers:
        raise OptionUnsuitable.at("body", "must be empty; send the file by PATCH to the `Location` of the answer")
    _refuse_options_of_predict()
    described, length, is_gzip = csv_request(services), _number("Upload-Length"), is_body_gzip()
    if length is not None and length > services.settings.max_upload_bytes:
        raise TooLarge("The file", services.settings.max_upload_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
    id = services.resumable.create(described, is_gzip=is_gzip, length=length)
    logger("gateway").info("upload_created", job=id, bytes=length)
    return Response(status=201, headers={"Location": f"{prefix()}/uploads/{id}", **_progress(0, is_complete=False)})


@blueprint.patch("/<id>")
@documented(
    Call(
        "uploads",
        {
            204: Answer("The bytes are stored.", headers=("Upload-Offset", "Upload-Complete")),
            200: Answer("The job, if it was waited for or an earlier request made it.", {JSON: PublicJob}),
            202: Answer("The job, after the last piece.", {JSON: PublicJob}, ("Location", "Retry-After")),
        },
        (*BODY_ERRORS, *LOOKUP_ERRORS, WrongState),
        (_OFFSET, _COMPLETE, WAIT),
        {PARTIAL_TYPE: None},
    )
)
def append_to_upload(id: str) -> Response:
    """Appends the next bytes of the file. With `Upload-Complete: ?1` they are the last, and the job is made."""
    services = current_services()
    offset, is_last = _number("Upload-Offset"), _is_last()
    if offset is None:
        raise OptionValue.at("Upload-Offset", "is missing; send the number of bytes that the service has")
    if is_body_gzip():
        raise UnsupportedType(
            "Content-Encoding belongs to `POST /uploads`; a PATCH sends a piece of the file as it is."
        )
    upload = services.resumable.find(id, g.scope)
    if upload.is_complete and is_last:
        return _answer_once_more(upload)
    upload.require_open()
    with services.open_uploads.turn(id, _ReadingStopper(request.environ.get("gunicorn.socket"))) as turn:
        hold = services.resumable.hold(id)
        if hold.upload.is_complete and is_last:  # it was made while this request waited for its turn
            return _answer_once_more(hold.upload)
        hold.upload.require_open()
        if offset != hold.upload.offset:
            raise WrongOffset(
                f"The service has {counted(hold.upload.offset, 'byte')} of this file.", hold.upload.offset
            )
        stored = services.open_uploads.append(turn, hold, _body(hold.upload, services.settings.max_upload_bytes))
        if not is_last:
            return Response(status=204, headers=_progress(stored, is_complete=False))
        return _complete(services, turn, services.resumable.now(hold, stored))


@blueprint.route("/<id>", methods=["HEAD"])
@documented(
    Call(
        "uploads",
        {204: Answer("How much is stored.", headers=("Upload-Offset", "Upload-Complete", "Upload-Length"))},
        LOOKUP_ERRORS,
    )
)
def head_upload(id: str) -> Response:
    """Returns how many bytes are safe, and ends a request that is still sending: the next one goes on from there."""
    services = current_services()
    upload = services.resumable.find(id, g.scope)
    if upload.state is UploadState.OPEN:
        with services.open_uploads.turn(id):
            upload = services.resumable.hold(id).upload
    if not upload.is_complete:
        upload.require_open()
    headers = _progress(upload.offset, is_complete=upload.is_complete) | {"Cache-Control": "no-store"}
    if upload.length is not None:
        headers["Upload-Length"] = str(upload.length)
    return Response(status=204, headers=headers)


@blueprint.delete("/<id>")
@documented(Call("uploads", {204: Answer("The upload and its files were deleted.")}, (*LOOKUP_ERRORS, WrongState)))
def delete_upload(id: str) -> Response:
    """Deletes an upload that is not complete, with every byte that is stored."""
    services = current_services()
    services.resumable.find(id, g.scope).require_open()
    with services.open_uploads.turn(id):
        services.open_uploads.discard(id)
        if not services.resumable.end(id, UploadState.DELETED):
            services.resumable.find(id, g.scope).require_open()
    logger("gateway").info("upload_deleted", job=id)
    return Response(status=204)


def _refuse_options_of_predict() -> None:
    for name, is_given in {
        "dry_run": dry_run(),
        "follow": query_flag("follow"),
        "wait": query_wait() is not None,
    }.items():
        if is_given:
            belongs = "the last PATCH" if name == "wait" else "POST /predict"
            raise OptionUnsuitable.at(name, f"is not for creating an upload, but for {belongs}")


def _number(name: str) -> int | None:
    text = request.headers.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text):
        raise OptionValue.at(name, "must be a number of bytes")
    return int(text)


def _is_last() -> bool:
    text = request.headers.get("Upload-Complete", "?0")
    if text not in _FLAGS:
        raise OptionValue.at("Upload-Complete", "must be ?1 or ?0")
    return _FLAGS[text]


def _body(upload: UploadRecord, max_bytes: int) -> Iterator[bytes]:
    """Yields the blocks of the body.

    Raises:
        BodyCutShort: as `read_raw`. TooLarge: the file is longer than its sender has said, or than it may be.
    """
    limit, setting = max_bytes, "ROWCAST_MAX_UPLOAD_BYTES"
    if upload.length is not None:
        limit, setting = upload.length, "Upload-Length"
    if upload.offset + (request.content_length or 0) > limit:
        raise TooLarge("The file", limit, setting)
    got = upload.offset
    for block in read_raw(max_bytes):
        got += len(block)
        if got > limit:
            raise TooLarge("The file", limit, setting)
        yield block


class _ReadingStopper:
    """Makes the body of a request end as if its sender had closed the connection. The answer can still be sent."""

    def __init__(self, connection: socket.socket | None) -> None:
        self._connection = connection

    def __call__(self) -> None:
        if self._connection is not None:
            with suppress(OSError):  # it is closed already
                self._connection.shutdown(socket.SHUT_RD)


def _progress(offset: int, *, is_complete: bool) -> dict[str, str]:
    return {"Upload-Offset": str(offset), "Upload-Complete": "?1" if is_complete else "?0"}


def _complete(services: Services, turn: Turn, hold: Hold) -> Response:
    """Makes the job, and returns it, or what it has led to if the caller waits."""
    upload = hold.upload
    if upload.length not in (None, upload.offset):
        raise BodyCutShort(f"The file should have {counted(upload.length, 'byte')}, but {upload.offset:,} came.")
    requested, preferred = query_wait(), preferred_wait()
    wait = next(seconds for seconds in (requested, preferred, services.settings.predict_wait) if seconds is not None)
    with services.notifications.expect(upload.id) as waiter:
        submitted = services.open_uploads.complete(turn, hold)
        log_submitted(submitted)
        if not submitted.replayed:
            response = answer_to_new(services, submitted.new, waiter, wait)
    if submitted.replayed:
        response = answer_to_replayed(services, submitted, wait)
    response.headers.update(_progress(upload.offset, is_complete=True))
    return response


def _answer_once_more(upload: UploadRecord) -> Response:
    """Returns the job of a complete upload, because the first answer may have been lost."""
    response = job_response(own_job(upload.job), 202)
    response.headers.update(_progress(upload.offset, is_complete=True))
    close_after(response)
    return response
