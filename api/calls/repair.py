"""`POST /jobs/ID/repair`: takes bad rows back, corrected."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from flask import Blueprint, Response, g, request
from pydantic import Field
from typing_extensions import TypedDict

from api.input.content_sniffing import Unpacked
from api.input.json_rows import read_json
from api.input.multipart import read_form
from api.input.option_parsing import read_options
from api.input.request_body import BODY_ERRORS, in_steps, read_blocks
from api.input.request_input import FILE_TYPES
from api.openapi.call_types import CSV, JSON, Answer, Call, documented, query
from api.output.responses import LOOKUP_ERRORS, job_response
from api.services import current_services
from rowcast.errors import BodyShape, BrokenForm, OptionUnsuitable, UnsupportedType, WrongState
from rowcast.jobs.options import ENCODINGS
from rowcast.jobs.public_job import PublicJob
from rowcast.jobs.repair.corrections import Correction, CorrectionReader
from rowcast.logs import logger

blueprint = Blueprint("repair", __name__, url_prefix="/jobs")


class CorrectedRows(TypedDict):
    """Corrected cells as JSON."""

    #: For each row `_row`, its number in the job, and the columns that change.
    rows: list[dict[str, Any]]


class CorrectedForm(TypedDict):
    """Corrected rows as a form."""

    #: The corrected CSV.
    file: Annotated[str, Field(json_schema_extra={"format": "binary"})]


@blueprint.post("/<job:id>/repair")
@documented(
    Call(
        "jobs",
        {202: Answer("The job.", {JSON: PublicJob})},
        (*LOOKUP_ERRORS, WrongState, *BODY_ERRORS),
        (query("encoding", "The encoding of a CSV.", type="string", enum=["auto", *ENCODINGS]),),
        bodies={CSV: None, JSON: CorrectedRows, "multipart/form-data": CorrectedForm},
        examples={JSON: {"rows": [{"_row": 7, "age": 31}]}},
    )
)
def repair_job(id: str) -> Response:
    """Takes bad rows of a batch back, corrected, and scores their chunks again.

    The body is the CSV of `GET /jobs/ID/errors?as=input`, or some of its rows or columns; `_row` says which row of the
    job each one is. As JSON only the cells that change are needed.
    """
    job = current_services().jobs.repair(id, read_corrections, g.scope)
    logger("gateway").info("job_repaired", job=id, repairs=job.repairs)
    return job_response(job, 202)


def read_corrections(reader: CorrectionReader) -> Mapping[int, Correction]:
    """Reads the corrections in the request's body: CSV, a form with a file, or JSON."""
    settings = current_services().settings
    if request.mimetype == "application/json":
        return reader.objects(_objects(read_json(settings)))
    content = Unpacked(_content(), settings.max_upload_bytes)
    return reader.csv(in_steps(iter(content)), _encoding())


def _encoding() -> str:
    """Returns the option `encoding`, the only one that a repair takes."""
    for name in request.args:
        if name != "encoding":
            raise OptionUnsuitable.at(name, "is not an option of a repair, which takes `encoding`")
    return read_options().encoding


def _objects(body: Any) -> list[Any]:
    match body:
        case {"rows": list(rows), **rest} if not rest:
            return rows
    raise BodyShape.at("body", 'must be for example {"rows": [{"_row": 7, "age": 31}]}')


def _content() -> Iterator[bytes]:
    blocks = read_blocks(current_services().settings)
    if request.mimetype in FILE_TYPES:
        return blocks
    if request.mimetype != "multipart/form-data":
        raise UnsupportedType(
            f"Content-Type {request.mimetype!r} is not supported; send text/csv, multipart/form-data or "
            "application/json."
        )
    boundary = request.mimetype_params.get("boundary", "")
    if not boundary:
        raise BrokenForm("The Content-Type `multipart/form-data` has no `boundary`. Let an HTTP library write it.")
    return read_form(blocks, boundary.encode()).content
