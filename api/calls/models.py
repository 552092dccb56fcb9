"""`/models`: list models and their versions, and move aliases."""

from typing import Any, NotRequired, cast

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
    OptionUnsuitable,
    OptionValue,
    RowcastError,
    Unavailable,
    UnknownModel,
)
from rowcast.jobs.shadow.shadow_counts import PublicShadow
from rowcast.jobs.shadow.shadow_records import counted
from rowcast.logs import logger
from rowcast.models.model_manifest import Manifest
from rowcast.models.naming.alias_moves import AliasMove
from rowcast.models.naming.aliases import ANY
from rowcast.models.shadow.alias_shadows import AliasShadow
from rowcast.models.shadow.shadowing import DEFAULT_SHARE, remove_shadow, set_shadow
from rowcast.models.version_comparison import VersionComparison, compare
from rowcast.pools import read_pools

blueprint = Blueprint("models", __name__, url_prefix="/models")

_ERRORS = (NotFound, ModelRefused, Unavailable)
"""The errors of looking up a model."""


class Model(TypedDict):
    """A model, its versions from the oldest on, and the version that each alias names, and the shadows of aliases."""

    name: str
    default: bool
    aliases: dict[str, str]
    shadows: dict[str, AliasShadow]
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


class ShadowTarget(TypedDict):
    """The version that is to score a share of the jobs of an alias, too: `NAME@VERSION` or `NAME@ALIAS`.

    `share` is from 0 to 1, and 0.1 by default.
    """

    model: str
    share: NotRequired[float]


class ComparedShadow(AliasShadow):
    """The shadow of an alias, and the counts of all jobs that were scored by these two versions."""

    counts: PublicShadow | None = Field(description="Null if they cannot be read now.")


class AliasPlace(TypedDict):
    """The version that an alias names, the one to go back to (or null), and its latest moves, the oldest first.

    `shadow` is the version that scores a share of its jobs, too, and how far both differ; null without one.
    """

    alias: str
    version: str
    earlier: str | None
    shadow: ComparedShadow | None
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
    return jsonify(_place(name, alias))


def _place(name: str, alias: str) -> dict[str, Any]:
    services = current_services()
    manifest = services.registry.resolve(f"{name}@{alias}")
    found = services.registry.shadows.read(name).get(alias)
    shadow: dict[str, Any] | None = None
    if found is not None:
        (counts,) = counted(services.redis, [(manifest.reference, found.model)])
        shadow = {**found.model_dump(), "counts": counts}
    return {
        "alias": alias,
        "version": manifest.version,
        "earlier": services.registry.earlier_version(name, alias),
        "shadow": shadow,
        "moves": [move.model_dump() for move in services.registry.alias_moves(name) if move.alias == alias],
    }


@blueprint.put("/<name>/aliases/<alias>/shadow")
@documented(
    Call(
        "models",
        {200: Answer("The alias.", {JSON: AliasPlace})},
        (*BODY_ERRORS, *_ERRORS, Forbidden, OptionValue, OptionUnsuitable),
        bodies={JSON: ShadowTarget},
        examples={JSON: {"model": "titanic@1", "share": 0.1}},
    )
)
def put_shadow(name: str, alias: str) -> Response:
    """Lets another version score a share of the alias's files, too, only to count how far both differ."""
    target, services = _shadow_of_body(), current_services()
    share, pools = target.get("share", DEFAULT_SHARE), read_pools(services.settings.pools)
    shadow = set_shadow(services.registry, name, alias, target["model"], share, pools=pools, by=g.owner)
    logger("gateway").info("shadow_set", model=name, alias=alias, shadow=shadow.model, share=shadow.share)
    return jsonify(_place(name, alias))


@blueprint.delete("/<name>/aliases/<alias>/shadow")
@documented(Call("models", {200: Answer("The alias.", {JSON: AliasPlace})}, (*_ERRORS, Forbidden)))
def delete_shadow(name: str, alias: str) -> Response:
    """Lets only the alias's own version score its files again. New jobs have no shadow at once."""
    before = remove_shadow(current_services().registry, name, alias)
    logger("gateway").info("shadow_removed", model=name, alias=alias, shadow=before.model if before else None)
    return jsonify(_place(name, alias))


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


def _shadow_of_body() -> ShadowTarget:
    body = read_json(current_services().settings)
    is_target = isinstance(body, dict) and {"model"} <= body.keys() <= {"model", "share"}
    if not is_target or not isinstance(body["model"], str) or type(body.get("share", 0.0)) not in (int, float):
        raise BodyShape.at("body", 'must be for example {"model": "titanic@4", "share": 0.1}')
    return cast(ShadowTarget, body)


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
        "shadows": cast(Any, {alias: shadow.model_dump() for alias, shadow in registry.shadows.read(name).items()}),
        "versions": registry.versions(name),
    }
