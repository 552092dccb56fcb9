"""`/models`: list models and their versions, and move aliases."""

from flask import Blueprint, Response, jsonify
from typing_extensions import TypedDict

from api.input.json_rows import read_json
from api.input.request_body import BODY_ERRORS
from api.openapi.call_types import JSON, Answer, Call, documented
from api.services import current_services
from rowcast.errors import (
    BodyShape,
    Forbidden,
    ModelRefused,
    NotFound,
    RowcastError,
    Unavailable,
    UnknownModel,
)
from rowcast.logs import logger
from rowcast.models.model_manifest import Manifest

blueprint = Blueprint("models", __name__, url_prefix="/models")

_ERRORS = (NotFound, ModelRefused, Unavailable)
"""The errors of looking up a model."""


class Model(TypedDict):
    """A model, its versions from the oldest on, and the version that each alias names."""

    name: str
    default: bool
    aliases: dict[str, str]
    versions: list[str]


class Models(TypedDict):
    """All models, and the version that a request without `model` uses now, or null."""

    models: list[Model]
    default: str | None


class AliasTarget(TypedDict):
    """The version that an alias is to name, as text."""

    version: str


@blueprint.get("")
@documented(Call("models", {200: Answer("Every model.", {JSON: Models})}, _ERRORS))
def list_models() -> Response:
    """Lists every model with its versions and aliases."""
    default = _default()
    return jsonify(
        {
            "models": [_model(name) for name in current_services().registry.names()],
            "default": f"{default.name}@{default.version}" if default else None,
        }
    )


@blueprint.get("/<name>")
@documented(Call("models", {200: Answer("The model.", {JSON: Model})}, _ERRORS))
def get_model(name: str) -> Response:
    """Returns one model."""
    if not current_services().registry.versions(name):
        current_services().registry.resolve(name)  # raises UnknownModel with the nearest name
        raise UnknownModel(f"Model not found: {name[:80]!r}.")
    return jsonify(_model(name))


@blueprint.get("/<name>/versions/<version>")
@documented(Call("models", {200: Answer("Its manifest.", {JSON: Manifest})}, _ERRORS))
def get_version(name: str, version: str) -> Response:
    """Returns the manifest of one version, without its signature."""
    return jsonify(current_services().registry.manifest(name, version).model_dump(mode="json", exclude={"signature"}))


@blueprint.put("/<name>/aliases/<alias>")
@documented(
    Call(
        "models",
        {200: Answer("The model.", {JSON: Model})},
        (*BODY_ERRORS, *_ERRORS, Forbidden),
        bodies={JSON: AliasTarget},
        examples={JSON: {"version": "1"}},
    )
)
def put_alias(name: str, alias: str) -> Response:
    """Points an alias at a version. New jobs use it at once, running jobs keep theirs."""
    version = _version_of_body()
    current_services().registry.set_alias(name, alias, version)
    logger("gateway").info("alias_moved", model=name, alias=alias, version=version)
    return jsonify(_model(name))


def _version_of_body() -> str:
    body = read_json(current_services().settings)
    if not isinstance(body, dict) or body.keys() != {"version"} or not isinstance(body["version"], str):
        raise BodyShape.at("body", 'must be for example {"version": "2"}, with the version as text')
    return body["version"]


def _default() -> Manifest | None:
    try:
        return current_services().default_model.resolve()
    except RowcastError:
        return None


def _model(name: str) -> Model:
    registry, default = current_services().registry, _default()
    return {
        "name": name,
        "default": default is not None and default.name == name,
        "aliases": registry.aliases(name),
        "versions": registry.versions(name),
    }
