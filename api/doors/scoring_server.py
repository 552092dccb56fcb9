"""`/ping`, `/version` and `/invocations`: the calls of MLflow's scoring server, for clients that have one now.

See "Serve MLflow models" in MLflow's documentation. `GET /health` is the one in `api/calls/health.py`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from flask import Blueprint, Response, request
from typing_extensions import TypedDict

from api.calls.health import checks
from api.doors.door_problems import add_members
from api.doors.door_scores import door_options, predictions_only, rows_input, score
from api.doors.mlflow_table import read_table
from api.doors.output_tensors import Value
from api.input.option_parsing import WAIT
from api.input.request_body import BODY_ERRORS, read_whole
from api.input.request_input import CONVERTED_TYPES, FILE_TYPES, csv_input
from api.openapi.call_types import CSV, CSV_TYPES, JSON, Answer, Call, documented, query
from api.output.responses import LOOKUP_ERRORS
from api.services import current_services
from rowcast.csv.decompression import yield_to_other_requests
from rowcast.errors import JobFault, ModelRefused, StillScoring, UnsupportedType
from rowcast.jobs.request_files.strict_json import parse
from rowcast.version import VERSION

blueprint = Blueprint("scoring_server", __name__)

_TEXT = "text/plain"
_ROWS = 2_000
"""Rows that are written before other requests have their turn."""

_CODES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "RESOURCE_DOES_NOT_EXIST",
    429: "REQUEST_LIMIT_EXCEEDED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
"""MLflow's error code for a status (`mlflow/protos/databricks.proto`). For others it is `BAD_REQUEST`."""


class Invocation(TypedDict, total=False):
    """Rows in exactly one of MLflow's forms."""

    #: `{"columns": [...], "data": [[...], ...]}`
    dataframe_split: dict[str, Any]
    #: One object for each row.
    dataframe_records: list[dict[str, Any]]
    #: One list, in the model's order, or one object for each row.
    instances: list[Any]
    #: The same, or an object with a list of values for each column.
    inputs: list[Any] | dict[str, list[Any]]


class Predictions(TypedDict):
    """One prediction for each row; a list of several if the model has several outputs."""

    predictions: list[Any]


@blueprint.get("/ping")
@documented(
    Call(
        "doors",
        {
            200: Answer("Jobs are accepted and scored.", {_TEXT: None}),
            503: Answer("Something that jobs need is missing; `/ready` says what.", {_TEXT: None}),
        },
    )
)
def ping() -> tuple[Response, int]:
    """Returns 200 if jobs are accepted and scored (MLflow)."""
    is_ready = all(check["ok"] for check in checks(current_services()).values())
    return Response("\n", content_type=_TEXT), 200 if is_ready else 503


@blueprint.get("/version")
@documented(Call("doors", {200: Answer("The version of Rowcast.", {_TEXT: None})}))
def version() -> Response:
    """Returns the version of this service as text (MLflow)."""
    return Response(VERSION, content_type=_TEXT)


@blueprint.post("/invocations")
@documented(
    Call(
        "doors",
        {200: Answer("The predictions, in the order of the rows.", {JSON: Predictions}, ("Job-ID",))},
        (*BODY_ERRORS, *LOOKUP_ERRORS, ModelRefused, JobFault, StillScoring),
        (query("model", "The model, for example `titanic@production`; without it the default.", type="string"), WAIT),
        {JSON: Invocation, **dict.fromkeys((*CSV_TYPES, *CONVERTED_TYPES))},
        {JSON: {"dataframe_split": {"columns": ["age", "pclass"], "data": [[25, 3]]}}, CSV: "age,pclass\n25,3\n"},
    )
)
def invocations() -> Response:
    """Returns the predictions of rows (MLflow)."""
    services = current_services()
    if request.mimetype == JSON:
        table = read_table(parse(read_whole(services.settings), takes_nan=True))
        scores = score(services, rows_input(services, table.rows, table.where, door_options()))
    elif request.mimetype in FILE_TYPES:
        door_options()
        scores = score(services, predictions_only(csv_input(services)))
    else:
        raise UnsupportedType(f"Content-Type {request.mimetype!r} is not supported; send {JSON} or {CSV}.")
    written = _written(scores.rows, is_nested=scores.has_outputs)
    return Response(written, content_type=JSON, headers={"Job-ID": scores.id})


def _written(rows: Iterable[list[Value]], *, is_nested: bool) -> Iterator[str]:
    """Yields the document in pieces, because a file may have millions of rows."""
    before, left = '{"predictions": [', iter(rows)
    while block := list(islice(left, _ROWS)):
        yield before + json.dumps(block if is_nested else [row[0] for row in block])[1:-1]
        before = ", "
        yield_to_other_requests()
    yield "]}"


def _members(problem: Mapping[str, Any]) -> dict[str, str]:
    """Returns what MLflow's clients look for in an error."""
    return {"error_code": _CODES.get(problem["status"], "BAD_REQUEST"), "message": problem["detail"]}


add_members(blueprint, _members)
