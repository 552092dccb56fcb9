"""`/models`: what can be asked for."""

from typing import Any

from flask import Blueprint, Response, jsonify

from api.services import services
from rowcast.errors import NotFound

blueprint = Blueprint("models", __name__, url_prefix="/models")


@blueprint.get("")
def list_models() -> Response:
    """Every model with its versions and aliases."""
    return jsonify({"models": [_model(name) for name in services().registry.names()]})


@blueprint.get("/<name>")
def get_model(name: str) -> Response:
    """One model."""
    if not services().registry.versions(name):
        services().registry.resolve(name)  # raises, naming the nearest
        raise NotFound("There is no such model.")
    return jsonify(_model(name))


@blueprint.get("/<name>/versions/<version>")
def get_version(name: str, version: str) -> Response:
    """One version: its manifest, less the signature."""
    return jsonify(services().registry.manifest(name, version).model_dump(mode="json", exclude={"signature"}))


def _model(name: str) -> dict[str, Any]:
    registry = services().registry
    return {
        "name": name,
        "default": services().settings.default_model.partition("@")[0] == name,
        "aliases": registry.aliases(name),
        "versions": registry.versions(name),
    }
