"""The pages about models: the list, the card of one version, and two versions side by side."""

from typing import Any

from flask import Blueprint, Response, request

from api.services import current_services
from api.web.drift_plot import drift_plots
from api.web.pages import page
from rowcast.errors import RowcastError, Unavailable
from rowcast.jobs.actuals.actuals_records import ActualsRecords
from rowcast.jobs.actuals.actuals_report import DayMetrics
from rowcast.jobs.drift.last_drift import read_last_drift
from rowcast.jobs.shadow.shadow_records import counted
from rowcast.models.drift.profile import Profile
from rowcast.models.model_manifest import Manifest
from rowcast.models.version_comparison import compare

blueprint = Blueprint("model_pages", __name__, url_prefix="/ui/models")

_SHOWN_MOVES = 10

_SHOWN_DAYS = 30


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
        {
            "name": name,
            "versions": registry.versions(name),
            "aliases": registry.aliases(name),
            "shadows": registry.shadows.read(name),
        }
        for name in registry.names()
    ]
    return page("models.html", models=found, default=default)


@blueprint.get("/<reference>")
def model_page(reference: str) -> Response:
    """Returns the page about one version, named as `NAME`, `NAME@VERSION` or `NAME@ALIAS`."""
    registry = current_services().registry
    manifest = registry.resolve(reference)
    return page(
        "model.html",
        manifest=manifest,
        aliases=registry.aliases_of(manifest),
        versions=registry.versions(manifest.name),
        moves=[
            move
            for move in reversed(registry.alias_moves(manifest.name))
            if manifest.version in (move.before, move.version)
        ][:_SHOWN_MOVES],
        shadows=_shadows(manifest),
        days=_days(manifest.name),
        **_drift(manifest),
    )


@blueprint.get("/<reference>/comparison")
def comparison_page(reference: str) -> Response:
    """Returns the page that shows two versions side by side; `?with=` names the other one."""
    registry = current_services().registry
    first, second = registry.resolve(reference), registry.resolve(request.args.get("with", ""))
    return page("comparison.html", first=first, second=second, found=compare(first, second))


def _shadows(manifest: Manifest) -> list[dict[str, Any]]:
    """Returns the shadows of the aliases that name the version, each with its counts, or None if they are unknown."""
    services = current_services()
    found = services.registry.shadows.read(manifest.name)
    pairs = [(alias, found[alias]) for alias in services.registry.aliases_of(manifest) if alias in found]
    counts = counted(services.redis, [(manifest.reference, shadow.model) for _, shadow in pairs])
    return [
        {"alias": alias, "shadow": shadow, "counts": one} for (alias, shadow), one in zip(pairs, counts, strict=True)
    ]


def _days(name: str) -> list[DayMetrics]:
    """Returns the metrics of the last days, the newest first; none if they cannot be read."""
    services = current_services()
    try:
        return ActualsRecords(services.redis, services.files.storage).read(name)[: -_SHOWN_DAYS - 1 : -1]
    except Unavailable:
        return []


def _drift(manifest: Manifest) -> dict[str, Any]:
    """Returns the drift of the version's last batch, as the template takes it; nothing if it cannot be read."""
    services = current_services()
    try:
        drift = read_last_drift(services.redis, manifest.reference)
    except Unavailable:  # the rest of the page needs no Redis
        return {}
    return {"drift": drift, "drift_plots": drift_plots(drift, profile_of(manifest.reference))} if drift else {}


def profile_of(reference: str) -> Profile | None:
    """Returns the profile of `NAME@VERSION`; None if it was removed or cannot be read."""
    registry = current_services().registry
    try:
        return registry.profile(registry.resolve(reference))
    except RowcastError:
        return None
