"""`/health` and `/ready`: whether the gateway runs, and whether a job would be served."""

from collections.abc import Callable
from typing import Any, NotRequired

from flask import Blueprint, Response, jsonify
from typing_extensions import TypedDict

from api.services import Services, services
from rowcast.errors import RowcastError

blueprint = Blueprint("health", __name__)


class Health(TypedDict):
    """The gateway runs."""

    status: str


class Check(TypedDict):
    """One thing that a job needs; `detail` says what is wrong with it."""

    ok: bool
    detail: NotRequired[str]


class ModelsCheck(Check):
    """The default model, with its version; and each registered version that a worker cannot open, with the reason."""

    default: NotRequired[str]
    unopenable: NotRequired[dict[str, str]]


class WorkersCheck(Check):
    """Workers that have shown a sign of life in the last ten seconds."""

    online: NotRequired[int]


class Checks(TypedDict):
    """All that a job needs."""

    redis: Check
    store: Check
    models: ModelsCheck
    workers: WorkersCheck


class Ready(TypedDict):
    """Whether a job would be served now."""

    ready: bool
    checks: Checks


@blueprint.get("/health")
def health() -> Response:
    """The gateway runs; asks nobody else."""
    return jsonify({"status": "API is running"})


@blueprint.get("/ready")
def ready() -> tuple[Response, int]:
    """What a job needs, each asked now."""
    at_hand = services()
    redis = _check(at_hand.records.check)
    checks = {
        "redis": redis,
        "store": _check(at_hand.files.check),
        "models": _check(lambda: _default_model(at_hand, at_hand.crew.unopenable() if redis["ok"] else {})),
        "workers": _check(lambda: _workers(at_hand)),
    }
    is_ready = all(check["ok"] for check in checks.values())
    return jsonify({"ready": is_ready, "checks": checks}), 200 if is_ready else 503


def _check(ask: Callable[[], Any]) -> dict[str, Any]:
    try:
        found = ask() or {}
    except RowcastError as error:
        return {"ok": False, "detail": error.public}
    return {"ok": True} | found


def _default_model(at_hand: Services, unopenable: dict[str, str]) -> dict[str, Any]:
    manifest = at_hand.registry.resolve(at_hand.settings.default_model)
    default = f"{manifest.name}@{manifest.version}"
    found: dict[str, Any] = {"default": default} | ({"unopenable": unopenable} if unopenable else {})
    if default in unopenable:
        found |= {"ok": False, "detail": unopenable[default]}
    return found


def _workers(at_hand: Services) -> dict[str, Any]:
    online = at_hand.crew.online()
    return {"online": online} | ({} if online else {"ok": False, "detail": "no worker has shown a sign of life"})
