"""`/models`: list models and their versions, and move aliases."""

from typing import NotRequired, cast

from flask import Blueprint, Response, g, jsonify, request
from pydantic import Field
from typing_extensions import TypedDict

from api.input.json_rows import read_json
from api.input.request_body import BODY_ERRORS
from api.openapi.call_types import JSON, Answer, Call, documented, query
from api.services import current_services
from rowcast.errors import (
    AliasMoved,
    BodyShape,
    Forbidden,
    ModelRefused,
    NotFound,
    OptionValue,
    RowcastError,
    Unavailable,
    UnknownModel,
)
from rowcast.logs import logger
from rowcast.models.model_manifest import Manifest
from rowcast.models.naming.alias_moves import AliasMove
from rowcast.models.naming.aliases import ANY
from rowcast.models.version_comparison import VersionComparison, compare

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


class Version(Manifest):
    """A version: its manifest, and the aliases that name it now."""

    aliases: list[str] = Field(description="The aliases that name it now.")


class AliasTarget(TypedDict):
    """The version that an alias is to name, as text.

    With `expected`, the alias moves only if it names that version now; null is that it does not exist.
    """

    version: str
    expected: NotRequired[str | None]


class AliasPlace(TypedDict):
    """The version that an alias names, the one to go back to (or null), and its latest moves, the oldest first."""

    alias: str
    version: str
    earlier: str | None
    moves: list[AliasMove]


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
@documented(Call("models", {200: Answer("The version.", {JSON: Version})}, _ERRORS))
def get_version(name: str, version: str) -> Response:
    """Returns the manifest of one version, without its signature, and the aliases that name it."""
    registry = current_services().registry
    manifest = registry.manifest(name, version)
    return jsonify(
        {**manifest.model_dump(mode="json", exclude={"signature"}), "aliases": registry.aliases_of(manifest)}
    )


@blueprint.get("/<name>/versions/<version>/comparison")
@documented(
    Call(
        "models",
        {200: Answer("What differs.", {JSON: VersionComparison})},
        (*_ERRORS, OptionValue),
        (query("with", "The other version: `NAME@VERSION`, `NAME@ALIAS` or `NAME`.", type="string"),),
    )
)
def compare_versions(name: str, version: str) -> Response:
    """Compares the version with another one: features, metrics and libraries. `after` is of the other one."""
    registry, other = current_services().registry, request.args.get("with")
    if not other:
        raise OptionValue.at("with", "names the other version, for example titanic@2")
    return jsonify(compare(registry.manifest(name, version), registry.resolve(other)))


@blueprint.get("/<name>/aliases/<alias>")
@documented(Call("models", {200: Answer("The alias.", {JSON: AliasPlace})}, _ERRORS))
def get_alias(name: str, alias: str) -> Response:
    """Returns the version that an alias names now, and when and by which key it was moved."""
    registry = current_services().registry
    version = registry.resolve(f"{name}@{alias}").version
    moves = [move.model_dump() for move in registry.alias_moves(name) if move.alias == alias]
    earlier = registry.earlier_version(name, alias)
    return jsonify({"alias": alias, "version": version, "earlier": earlier, "moves": moves})


@blueprint.put("/<name>/aliases/<alias>")
@documented(
    Call(
        "models",
        {200: Answer("The model.", {JSON: Model})},
        (*BODY_ERRORS, *_ERRORS, Forbidden, AliasMoved),
        bodies={JSON: AliasTarget},
        examples={JSON: {"version": "1"}},
    )
)
def put_alias(name: str, alias: str) -> Response:
    """Points an alias at a version. New jobs use it at once, running jobs keep theirs."""
    target = _target_of_body()
    version, expected = target["version"], target.get("expected", ANY)
    current_services().registry.set_alias(name, alias, version, expected=expected, by=g.owner)
    logger("gateway").info("alias_moved", model=name, alias=alias, version=version)
    return jsonify(_model(name))


def _target_of_body() -> AliasTarget:
    body = read_json(current_services().settings)
    if not isinstance(body, dict) or not {"version"} <= body.keys() <= {"version", "expected"}:
        raise _wrong_target()
    if not isinstance(body["version"], str) or not isinstance(body.get("expected"), str | None):
        raise _wrong_target()
    return cast(AliasTarget, body)


def _wrong_target() -> BodyShape:
    return BodyShape.at(
        "body", 'must be for example {"version": "2"} or {"version": "2", "expected": "1"}, with versions as text'
    )


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
