"""`/v1/files`: files of requests, and the files of batches, for clients of OpenAI's API."""

import re
from itertools import chain
from typing import Literal, NotRequired

from flask import Blueprint, Response, g, jsonify, request
from typing_extensions import TypedDict

from api.doors.batch_files import BatchFile
from api.doors.batch_object import batch_file
from api.doors.door_problems import add_members
from api.doors.openai_problems import error_member
from api.input.request_body import BODY_ERRORS
from api.input.request_input import received_form
from api.openapi.call_types import JSON, NDJSON, Answer, Call, documented, query
from api.output.responses import LOOKUP_ERRORS, UNBUFFERED, attachment, own_job
from api.services import current_services
from rowcast.errors import (
    OptionUnsuitable,
    OptionValue,
    ResultLost,
    Unavailable,
    Unprocessable,
    UnsupportedType,
    WrongState,
)
from rowcast.jobs.request_files.request_file import RequestFile
from rowcast.logs import logger

_NAME_CHARACTERS = 255
"""Maximum length of a file's name, of which the end is kept."""

blueprint = Blueprint("openai_files", __name__, url_prefix="/v1/files")

MAX_FILES = 200
"""Largest number of files on a page. A client that asks for more gets the rest on further pages."""

_FORM = "multipart/form-data"


class FileObject(TypedDict):
    """A file. Times are in seconds since 1970."""

    id: str
    object: str
    bytes: int
    created_at: int
    #: Null while a batch that has not ended needs the file.
    expires_at: NotRequired[int | None]
    filename: str
    #: `batch`, or `batch_output` of what a batch has led to.
    purpose: str
    status: str


class FileList(TypedDict):
    """A page of files."""

    object: str
    data: list[FileObject]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedFile(TypedDict):
    """A file that was deleted."""

    id: str
    object: str
    deleted: bool


class FileForm(TypedDict):
    """The form of a file."""

    purpose: Literal["batch"]
    #: JSONL: one request a line.
    file: str


@blueprint.post("")
@documented(
    Call(
        "doors",
        {200: Answer("The file.", {JSON: FileObject})},
        (*BODY_ERRORS, Unavailable),
        bodies={_FORM: FileForm},
    )
)
def create_file() -> Response:
    """Stores a file of requests (OpenAI)."""
    services = current_services()
    if request.mimetype != _FORM:
        raise UnsupportedType(f"Content-Type {request.mimetype or 'none'!r} is not supported; send {_FORM}.")
    form = received_form(services)
    if form.fields.get("purpose") != "batch":
        raise OptionValue.at("purpose", "must be batch; of a file over 8 MiB, the field has to come before the file")
    if others := form.fields.keys() - {"purpose"}:
        raise OptionUnsuitable.at(min(others), "is not supported: the operator's retention counts")
    name = "".join(filter(str.isprintable, form.filename or ""))[-_NAME_CHARACTERS:] or "requests.jsonl"
    file = services.request_files.receive(g.owner, name, form.content)
    logger("gateway").info("request_file_stored", file=file.id, file_bytes=file.bytes)
    return jsonify(_documents([file])[0])


@blueprint.get("")
@documented(
    Call(
        "doors",
        {200: Answer("A page of files.", {JSON: FileList})},
        (Unprocessable, Unavailable),
        (
            query("after", "Where the page begins: the id of a file.", type="string"),
            query("limit", "Number of files on a page.", type="integer", minimum=1, maximum=10_000, default=MAX_FILES),
            query("order", "By the time of their upload.", type="string", enum=["asc", "desc"]),
            query("purpose", "Only files of this purpose.", type="string"),
        ),
    )
)
def list_files() -> Response:
    """Lists the files of requests, not those of batches (OpenAI)."""
    order, limit = request.args.get("order", "desc"), query_limit(MAX_FILES, 10_000)
    if order not in ("asc", "desc"):
        raise OptionValue.at("order", "must be asc or desc")
    found: list[RequestFile] = []
    has_more = False
    if request.args.get("purpose", "batch") == "batch":
        files, after = current_services().request_files, request.args.get("after")
        found, has_more = files.page(min(limit, MAX_FILES), after, g.scope, newest_first=order == "desc")
    data = _documents(found)
    first, last = (data[0]["id"], data[-1]["id"]) if data else (None, None)
    page: FileList = {"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": has_more}
    return jsonify(page)


@blueprint.get("/<id>")
@documented(Call("doors", {200: Answer("The file.", {JSON: FileObject})}, (*LOOKUP_ERRORS, WrongState, ResultLost)))
def get_file(id: str) -> Response:
    """Returns what is known of a file (OpenAI).

    The file of a batch is made to count its bytes, unless it was made before.
    """
    if (of_batch := batch_file(id)) is None:
        return jsonify(_documents([current_services().request_files.get(id, g.scope)])[0])
    file = BatchFile(current_services(), *of_batch)
    ended_ms, expires_ms = file.job.finished_ms or file.job.created_ms, file.job.expires_ms
    found: FileObject = {
        "id": id,
        "object": "file",
        "bytes": file.length(),
        "created_at": ended_ms // 1000,
        "expires_at": None if expires_ms is None else expires_ms // 1000,
        "filename": file.filename,
        "purpose": "batch_output",
        "status": "processed",
    }
    return jsonify(found)


@blueprint.get("/<id>/content")
@documented(
    Call("doors", {200: Answer("The file.", {NDJSON: None})}, (*LOOKUP_ERRORS, WrongState, ResultLost)),
)
def get_file_content(id: str) -> Response:
    """Returns a file: one request, or one response, a line (OpenAI)."""
    services, of_batch = current_services(), batch_file(id)
    if of_batch is None:
        file = services.request_files.get(id, g.scope)
        name, blocks, length = file.filename, services.request_files.blocks(file), {"Content-Length": str(file.bytes)}
    else:
        batch = BatchFile(services, *of_batch)
        name, blocks, length = batch.filename, batch.blocks(), {}
    first = next(blocks, b"")  # if the store is unavailable, respond with 503 now instead of a broken 200 later
    response = Response(chain([first], blocks), content_type=NDJSON, headers={**UNBUFFERED, **length})
    response.headers["Content-Disposition"] = attachment(name)
    return response


@blueprint.delete("/<id>")
@documented(
    Call("doors", {200: Answer("The file was deleted.", {JSON: DeletedFile})}, (*LOOKUP_ERRORS, Unprocessable)),
)
def delete_file(id: str) -> Response:
    """Deletes a file of requests (OpenAI)."""
    if (of_batch := batch_file(id)) is not None:
        job = own_job(of_batch[0])
        raise OptionUnsuitable.at("id", f"is a file of a batch, which goes with it: DELETE /jobs/{job.id}")
    files = current_services().request_files
    files.delete(files.get(id, g.scope).id)
    logger("gateway").info("request_file_deleted", file=id)
    deleted: DeletedFile = {"id": id, "object": "file", "deleted": True}
    return jsonify(deleted)


def query_limit(default: int, most: int) -> int:
    """Returns the query's `limit`.

    Raises:
        OptionValue: it is not a whole number from 1 to `most`.
    """
    text = request.args.get("limit", str(default))
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= most:
        raise OptionValue.at("limit", f"must be a whole number from 1 to {most}")
    return int(text)


def _documents(files: list[RequestFile]) -> list[FileObject]:
    expiries = current_services().request_files.expiry_ms([file.id for file in files]) if files else {}
    return [_document(file, expiries[file.id]) for file in files]


def _document(file: RequestFile, expires_ms: int | None) -> FileObject:
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_ms // 1000,
        "expires_at": None if expires_ms is None else expires_ms // 1000,
        "filename": file.filename,
        "purpose": "batch",
        "status": "processed",
    }


add_members(blueprint, error_member)
