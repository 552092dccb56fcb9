"""`/v1/batches`: batches of requests, for clients of OpenAI's API. Each is a job, whose rows are lines of a file."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NotRequired

from flask import Blueprint, Response, g, jsonify, request
from typing_extensions import TypedDict

from api.doors.batch_object import ID, Batch, batch_object
from api.doors.door_problems import add_members
from api.doors.openai_files import query_limit
from api.doors.openai_problems import error_member
from api.input.json_rows import read_json
from api.input.request_body import BODY_ERRORS
from api.input.request_input import new_request, queueing
from api.openapi.call_types import JSON, Answer, Call, documented, query
from api.output.job_answer import log_submitted
from api.output.responses import LOOKUP_ERRORS, own_job
from api.services import Services, current_services
from rowcast.errors import (
    BodyShape,
    EmptyFile,
    OptionUnsuitable,
    OptionValue,
    Unavailable,
    Unprocessable,
    WrongRequests,
    WrongState,
)
from rowcast.jobs.actions.submit import is_job_id, new_id
from rowcast.jobs.job import Job
from rowcast.jobs.job_filter import JobFilter
from rowcast.jobs.options import Options
from rowcast.jobs.request import checked_options
from rowcast.jobs.request_files.batch_request import BatchRequest
from rowcast.jobs.request_files.request_file import RequestFile
from rowcast.jobs.request_files.request_line import (
    ENDPOINT,
    LineFault,
    RequestLine,
    column_names,
    read_request_line,
)
from rowcast.jobs.request_files.strict_json import lines_of
from rowcast.logs import logger

blueprint = Blueprint("openai_batches", __name__, url_prefix="/v1/batches")

DEFAULT_BATCHES, MAX_BATCHES = 20, 100

_BODY_OPTIONS = ("model", "probabilities", "scores", "threshold", "top", "explain")
"""Options that the bodies of lines may have: those of a single row."""

_MEMBERS = {"input_file_id", "endpoint", "completion_window", "metadata", "output_expires_after"}
_WINDOW_CHARACTERS, _REST_CHARACTERS = 32, 4_096
"""Maximum length of what a batch keeps of its request in Redis: its window, and the first body without features."""

_MOST_BLANK_BYTES = 65_536
"""Blank lines at the beginning of a file, which the gateway reads."""

_MOST_METADATA, _NAME_CHARACTERS, _VALUE_CHARACTERS = 16, 64, 512
_TAG_NAME, _TAG_VALUE = re.compile(r"[A-Za-z0-9_.-]{1,64}"), re.compile(r"[^,\x00-\x1f]{0,128}")
_EVERY_BATCH = JobFilter(of_requests=True)


class NewBatch(TypedDict):
    """What a batch is made of."""

    input_file_id: str
    #: `/predict`, as in each line.
    endpoint: str
    #: How long it may take, for example `24h`; up to 30 days.
    completion_window: str
    metadata: NotRequired[dict[str, str] | None]


class BatchList(TypedDict):
    """A page of batches, newest first."""

    object: str
    data: list[Batch]
    first_id: str | None
    last_id: str | None
    has_more: bool


@blueprint.post("")
@documented(
    Call(
        "doors",
        {200: Answer("The batch.", {JSON: Batch})},
        (*BODY_ERRORS, *LOOKUP_ERRORS),
        bodies={JSON: NewBatch},
        examples={
            JSON: {
                "input_file_id": "file-01a2054e-0b47-74e6-a8a3-69dc6a5d1314-e3b0c442",
                "endpoint": ENDPOINT,
                "completion_window": "24h",
            }
        },
    )
)
def create_batch() -> Response:
    """Makes a batch of a file of requests (OpenAI)."""
    services = current_services()
    asked = _asked(read_json(services.settings))
    file = services.request_files.get(asked.file_id, g.scope)
    first = _first_line(services, file)
    asked = asked.model_copy(update={"body": dict(first.rest)})
    options = _options(asked)
    job_request = new_request(services, options, filename=file.filename)
    id_column, _, prediction = column_names(job_request.models.feature_names)
    columns = {"key": (id_column,), "prediction_column": prediction}
    job_request = replace(job_request, options=options.model_copy(update=columns))
    with queueing(services.tracer, job_request, id := new_id()) as traced:
        submitted = services.jobs.submit_requests(traced, file, asked, id)
    log_submitted(submitted)
    job = services.records.get(submitted.id) if submitted.replayed else submitted.new.queued()
    return jsonify(batch_object(job))


@blueprint.get("")
@documented(
    Call(
        "doors",
        {200: Answer("A page of batches.", {JSON: BatchList})},
        (Unprocessable, Unavailable),
        (
            query("after", "Where the page begins: the id of a batch.", type="string"),
            query(
                "limit",
                "Number of batches on a page.",
                type="integer",
                minimum=1,
                maximum=MAX_BATCHES,
                default=DEFAULT_BATCHES,
            ),
        ),
    )
)
def list_batches() -> Response:
    """Lists batches of requests, newest first (OpenAI)."""
    limit, after = query_limit(DEFAULT_BATCHES, MAX_BATCHES), request.args.get("after")
    before = None if after is None else after.removeprefix(ID)
    if before is not None and not is_job_id(before):
        raise OptionValue.at("after", "must be the id of a batch")
    found: list[Job] = []
    while len(found) <= limit:  # a page looks at some thousands of jobs, and may find none
        some, before = current_services().jobs.page(limit + 1 - len(found), before, _EVERY_BATCH, g.scope)
        found += some
        if before is None:
            break
    data = [batch_object(job) for job in found[:limit]]
    page: BatchList = {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": len(found) > limit,
    }
    return jsonify(page)


@blueprint.get("/<id>")
@documented(Call("doors", {200: Answer("The batch.", {JSON: Batch})}, LOOKUP_ERRORS))
def get_batch(id: str) -> Response:
    """Returns a batch (OpenAI)."""
    return jsonify(batch_object(_own_batch(id)))


@blueprint.post("/<id>/cancel")
@documented(Call("doors", {200: Answer("The batch.", {JSON: Batch})}, (*LOOKUP_ERRORS, WrongState)))
def cancel_batch(id: str) -> Response:
    """Cancels a batch that has not ended. What is done can be fetched (OpenAI)."""
    job = current_services().jobs.cancel(_own_batch(id).id, g.scope)
    logger("gateway").info("job_cancelled", job=job.id)
    return jsonify(batch_object(job))


def _own_batch(id: str) -> Job:
    job = own_job(id.removeprefix(ID))
    batch_object(job)  # raises if it is another job
    return job


def _asked(body: Any) -> BatchRequest:
    """Returns what the body asks for.

    Raises:
        BodyShape, OptionValue, OptionUnsuitable: something in it is wrong.
    """
    match body:
        case {"input_file_id": str(file_id), "endpoint": str(endpoint), "completion_window": str(window)}:
            pass
        case _:
            raise BodyShape.at("body", "must be an object with input_file_id, endpoint and completion_window as texts")
    if unknown := body.keys() - _MEMBERS:
        raise BodyShape.at(min(unknown)[:80], "is unknown")
    if len(window) > _WINDOW_CHARACTERS:
        raise OptionValue.at("completion_window", f"is over {_WINDOW_CHARACTERS} characters; write for example 24h")
    if endpoint != ENDPOINT:
        raise OptionValue.at("endpoint", f"must be {ENDPOINT}")
    if body.get("output_expires_after") is not None:
        raise OptionUnsuitable.at("output_expires_after", "is not supported: the operator's retention counts")
    return BatchRequest(
        file_id=file_id, endpoint=endpoint, completion_window=window, metadata=_metadata(body.get("metadata"))
    )


def _metadata(given: Any) -> dict[str, str] | None:
    if given is None:
        return None
    is_valid = isinstance(given, Mapping) and len(given) <= _MOST_METADATA
    if not is_valid or not all(
        isinstance(value, str) and len(name) <= _NAME_CHARACTERS and len(value) <= _VALUE_CHARACTERS
        for name, value in given.items()
    ):
        raise OptionValue.at(
            "metadata",
            f"must have up to {_MOST_METADATA} texts of up to {_VALUE_CHARACTERS} characters, with names of up to "
            f"{_NAME_CHARACTERS}",
        )
    return dict(given)


def _first_line(services: Services, file: RequestFile) -> RequestLine:
    """Returns the first request of a file.

    Raises:
        WrongRequests: the line is not a request. EmptyFile: the file has only blank lines.
        UnknownFile: the file has just been deleted.
        TooLarge: the line is too long.
    """
    number = skipped = 0
    try:
        for lines in lines_of(services.request_files.blocks(file), services.settings.max_row_bytes):
            for line in lines:
                number += 1
                skipped += len(line) + 1
                if line.strip():
                    return _short(read_request_line(line), number)
                if skipped > _MOST_BLANK_BYTES:
                    raise EmptyFile.at("file", f"has no request in its first {_MOST_BLANK_BYTES:,} bytes")
    except LineFault as fault:
        raise WrongRequests.at(f"line {number}", str(fault)) from None
    raise EmptyFile.at("file", "has no requests")


def _short(line: RequestLine, number: int) -> RequestLine:
    """Returns the line, if what its body has besides the features may stand in the record of the job."""
    if len(json.dumps(line.rest, default=str)) > _REST_CHARACTERS:
        there = f"has a body with over {_REST_CHARACTERS:,} characters besides `features`"
        raise WrongRequests.at(f"line {number}", there)
    return line


def _options(asked: BatchRequest) -> Options:
    """Returns the options of the job, but for names that depend on the model.

    Raises:
        OptionUnsuitable, OptionValue: an option in the body of the first line does not fit.
    """
    for name in asked.body:
        if name not in _BODY_OPTIONS:
            raise OptionUnsuitable.at(f"body.{name[:80]}", f"is not for batches; a body has features, {_TAKEN}")
    if "," in str(asked.body.get("model")):
        raise OptionValue.at("model", "names two models; a batch takes one")
    fitting = {
        name: value
        for name, value in (asked.metadata or {}).items()
        if _TAG_NAME.fullmatch(name) and _TAG_VALUE.fullmatch(value)
    }
    of_job = {"expires_in": asked.completion_window, "tags": fitting, "output": "predictions", "on_error": "column"}
    options = checked_options({**asked.body, **of_job})
    return options.model_copy(update={"delimiter": ",", "encoding": "utf-8"})


_TAKEN = ", ".join(_BODY_OPTIONS)

add_members(blueprint, error_member)
