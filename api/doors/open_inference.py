"""`/v2`: the Open Inference Protocol over HTTP, which the clients of KServe, MLServer and Triton speak.

Tensors are JSON; the extension for binary tensors is not offered, which `extensions` in `GET /v2` says.
"""

from collections.abc import Mapping
from typing import Any, NotRequired

from flask import Blueprint, Response, jsonify, request
from typing_extensions import TypedDict

from api.calls.health import checks
from api.doors.door_problems import add_members
from api.doors.door_scores import door_options, rows_input, score
from api.doors.input_tensors import WHERE, require_object, rows_of_tensors
from api.doors.output_tensors import (
    OPTION_OF,
    OutputTensor,
    TensorMetadata,
    input_metadata,
    output_metadata,
    output_tensors,
    wanted_names,
)
from api.input.option_parsing import WAIT
from api.input.request_body import BODY_ERRORS, read_whole
from api.openapi.call_types import JSON, Answer, Call, documented
from api.output.responses import LOOKUP_ERRORS
from api.services import Services, current_services
from rowcast.errors import (
    BodyShape,
    JobFault,
    ModelRefused,
    NotFound,
    StillScoring,
    Unavailable,
    UnknownOption,
    UnsupportedType,
)
from rowcast.jobs.request_files.strict_json import parse
from rowcast.models.model_manifest import Manifest
from rowcast.version import VERSION

blueprint = Blueprint("open_inference", __name__, url_prefix="/v2")

_BINARY = "Inference-Header-Content-Length"
"""The header of a request with binary tensors."""


class ServerMetadata(TypedDict):
    """The server. It offers no extension of the protocol."""

    name: str
    version: str
    extensions: list[str]


class Live(TypedDict):
    """The gateway runs."""

    live: bool


class ServerReady(TypedDict):
    """Whether jobs are accepted and scored."""

    ready: bool


class ModelReady(ServerReady):
    """Whether rows for a model are."""

    name: str


class ModelMetadata(TypedDict):
    """A model's tensors. `versions` has all versions, from the oldest on."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: dict[str, str]


class InferInput(TypedDict):
    """A tensor of shape [n, features] or, with the name of a feature, [n, 1] or [n]."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: NotRequired[dict[str, Any] | None]


class InferOutput(TypedDict):
    """A tensor that is to be returned: `predict`, `predict_proba` or `decision_function`."""

    name: str
    parameters: NotRequired[dict[str, Any] | None]


class InferRequest(TypedDict):
    """Rows as tensors. `parameters` change nothing, and null is as if a member were not there."""

    inputs: list[InferInput]
    id: NotRequired[str | None]
    outputs: NotRequired[list[InferOutput] | None]
    parameters: NotRequired[dict[str, Any] | None]


class InferResponse(TypedDict):
    """Predictions as tensors. `id` is that of the request, and `parameters` has the id of the job."""

    model_name: str
    model_version: str
    id: NotRequired[str]
    parameters: dict[str, str]
    outputs: list[OutputTensor]


_MODEL = Call("doors", {200: Answer("The model.", {JSON: ModelMetadata})}, (NotFound, ModelRefused, Unavailable))
_READY = Call(
    "doors",
    {
        200: Answer("Rows for the model are accepted and scored.", {JSON: ModelReady}),
        503: Answer("Something is missing, or a worker cannot open the model; `/ready` says what.", {JSON: ModelReady}),
    },
    (NotFound, ModelRefused),
)
_INFER = Call(
    "doors",
    {200: Answer("The predictions.", {JSON: InferResponse})},
    (*BODY_ERRORS, *LOOKUP_ERRORS, ModelRefused, JobFault, StillScoring),
    (WAIT,),
    {JSON: InferRequest},
    {JSON: {"inputs": [{"name": "rows", "shape": [1, 2], "datatype": "FP64", "data": [25, 3]}]}},
)


@blueprint.get("")
@documented(Call("doors", {200: Answer("The server.", {JSON: ServerMetadata})}))
def server_metadata() -> Response:
    """Returns name and version of the server (Open Inference Protocol)."""
    return jsonify(ServerMetadata(name="rowcast", version=VERSION, extensions=[]))


@blueprint.get("/health/live")
@documented(Call("doors", {200: Answer("The gateway runs.", {JSON: Live})}))
def server_live() -> Response:
    """Returns 200 if the gateway runs (Open Inference Protocol)."""
    return jsonify(Live(live=True))


@blueprint.get("/health/ready")
@documented(
    Call(
        "doors",
        {
            200: Answer("Jobs are accepted and scored.", {JSON: ServerReady}),
            503: Answer("Something that jobs need is missing; `/ready` says what.", {JSON: ServerReady}),
        },
    )
)
def server_ready() -> tuple[Response, int]:
    """Returns 200 if jobs are accepted and scored (Open Inference Protocol)."""
    is_ready = all(check["ok"] for check in checks(current_services()).values())
    return jsonify(ServerReady(ready=is_ready)), 200 if is_ready else 503


@blueprint.get("/models/<name>")
@documented(_MODEL)
def model_metadata(name: str) -> Response:
    """Returns the tensors of a model (Open Inference Protocol)."""
    return _metadata(name)


@blueprint.get("/models/<name>/versions/<version>")
@documented(_MODEL)
def version_metadata(name: str, version: str) -> Response:
    """Returns the tensors of one version (Open Inference Protocol)."""
    return _metadata(f"{name}@{version}")


@blueprint.get("/models/<name>/ready")
@documented(_READY)
def model_ready(name: str) -> tuple[Response, int]:
    """Returns 200 if rows for a model are accepted and scored (Open Inference Protocol)."""
    return _ready(name)


@blueprint.get("/models/<name>/versions/<version>/ready")
@documented(_READY)
def version_ready(name: str, version: str) -> tuple[Response, int]:
    """Returns 200 if rows for one version are accepted and scored (Open Inference Protocol)."""
    return _ready(f"{name}@{version}")


@blueprint.post("/models/<name>/infer")
@documented(_INFER)
def model_infer(name: str) -> Response:
    """Returns the predictions of rows in tensors (Open Inference Protocol)."""
    return _infer(name)


@blueprint.post("/models/<name>/versions/<version>/infer")
@documented(_INFER)
def version_infer(name: str, version: str) -> Response:
    """Returns the predictions of one version for rows in tensors (Open Inference Protocol)."""
    return _infer(f"{name}@{version}")


def _metadata(reference: str) -> Response:
    manifest = current_services().registry.resolve(reference)
    found: ModelMetadata = {
        "name": manifest.name,
        "versions": current_services().registry.versions(manifest.name),
        "platform": "rowcast",
        "inputs": input_metadata(manifest),
        "outputs": output_metadata(manifest),
        "parameters": {"content_type": "pd", "version": manifest.version},
    }
    return jsonify(found)


def _ready(reference: str) -> tuple[Response, int]:
    services = current_services()
    manifest = services.registry.resolve(reference)
    found = checks(services)
    is_ready = all(found[name]["ok"] for name in ("redis", "store", "workers"))
    is_ready = is_ready and manifest.reference not in found["models"].get("unopenable", {})
    return jsonify(ModelReady(name=manifest.name, ready=is_ready)), 200 if is_ready else 503


def _infer(reference: str) -> Response:
    services = current_services()
    manifest = services.registry.resolve(reference)
    body = _body(services)
    names = wanted_names(body.get("outputs"), manifest)
    # The version is pinned here, so that an alias that moves meanwhile cannot change what the tensors are made for.
    options = door_options(model=manifest.reference, **{OPTION_OF[name]: True for name in names if name in OPTION_OF})
    rows = rows_of_tensors(body.get("inputs"), manifest.feature_names)
    scores = score(services, rows_input(services, rows, WHERE, options))
    return jsonify(_response(manifest, scores.id, body.get("id"), output_tensors(manifest, scores.rows, names)))


def _response(manifest: Manifest, job: str, id: str | None, outputs: list[OutputTensor]) -> InferResponse:
    found: InferResponse = {
        "model_name": manifest.name,
        "model_version": manifest.version,
        "parameters": {"job": job},
        "outputs": outputs,
    }
    return found if id is None else {**found, "id": id}


def _body(services: Services) -> dict[str, Any]:
    if _BINARY in request.headers:
        raise UnsupportedType(
            "Binary tensors are not supported. Send them as JSON, for example with `binary_data=False` in tritonclient."
        )
    if request.mimetype not in (JSON, ""):
        raise UnsupportedType(f"Content-Type {request.mimetype!r} is not supported; send {JSON}.")
    body = parse(read_whole(services.settings), takes_nan=True)
    if not isinstance(body, dict):
        raise BodyShape.at("body", "must be a JSON object with `inputs`")
    if odd := body.keys() - InferRequest.__annotations__.keys():
        raise UnknownOption.at(min(odd)[:200], f"unknown; the body has {', '.join(InferRequest.__annotations__)}")
    if not isinstance(body.get("id"), str | None):
        raise BodyShape.at("id", "must be text")
    require_object(body.get("parameters"), "parameters")
    return body


def _members(problem: Mapping[str, Any]) -> dict[str, str]:
    """Returns the one member of an error that the protocol has."""
    return {"error": problem["detail"]}


add_members(blueprint, _members)
