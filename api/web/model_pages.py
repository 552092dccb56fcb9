"""The pages about models: the list, and one version with its features, metrics and libraries."""

from flask import Blueprint, Response

from api.services import current_services
from api.web.pages import page
from rowcast.errors import RowcastError

blueprint = Blueprint("model_pages", __name__, url_prefix="/ui/models")


@blueprint.get("")
def models_page() -> Response:
    """Returns the page with all models, their versions and aliases."""
    services = current_services()
    try:
        default = services.default_model.resolve().reference
    except RowcastError:
        default = ""
    registry = services.registry
    found = [
        {"name": name, "versions": registry.versions(name), "aliases": registry.aliases(name)}
        for name in registry.names()
    ]
    return page("models.html", models=found, default=default)


@blueprint.get("/<reference>")
def model_page(reference: str) -> Response:
    """Returns the page about one version, named as `NAME`, `NAME@VERSION` or `NAME@ALIAS`."""
    registry = current_services().registry
    manifest = registry.resolve(reference)
    aliases = [alias for alias, version in registry.aliases(manifest.name).items() if version == manifest.version]
    return page("model.html", manifest=manifest, aliases=aliases, versions=registry.versions(manifest.name))
