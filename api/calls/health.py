"""`/health` and `/ready`: whether the gateway runs, and whether jobs are accepted and scored."""

from collections.abc import Callable
from typing import Any, NotRequired

from flask import Blueprint, Response, jsonify
from typing_extensions import TypedDict

from api.openapi.call_types import JSON, Answer, Call, documented
from api.services import Services, current_services
from rowcast.errors import NoDefaultModel, RowcastError

blueprint = Blueprint("health", __name__)


class Health(TypedDict):
    """The gateway runs."""

    status: str


class ReadinessCheck(TypedDict):
    """The state of one thing that jobs need. `detail` says what is wrong with it."""

    ok: bool
    detail: NotRequired[str]


class ModelsCheck(ReadinessCheck):
    """Whether there is a model, the default model, and the versions that workers cannot load, with the reason."""

    default: NotRequired[str]
    unopenable: NotRequired[dict[str, str]]


class WorkersCheck(ReadinessCheck):
    """The number of workers that sent a heartbeat in the last ten seconds."""

    online: NotRequired[int]


class Checks(TypedDict):
    """Everything that jobs need."""

    redis: ReadinessCheck
    store: ReadinessCheck
    models: ModelsCheck
    workers: WorkersCheck


class Ready(TypedDict):
    """Whether jobs are accepted and scored now."""

    ready: bool
    checks: Checks
    #: What is handed to no worker (`rowcast pause`), if anything. Jobs are accepted and wait.
    paused: NotRequired[list[str]]


@blueprint.get("/health")
@documented(Call("service", {200: Answer("The gateway runs.", {JSON: Health})}))
def health() -> Response:
    """Returns 200 if the gateway runs. It does not contact Redis, the store or workers."""
    return jsonify({"status": "API is running"})


@blueprint.get("/ready")
@documented(
    Call(
        "service",
        {
            200: Answer("Jobs are accepted and scored.", {JSON: Ready}),
            503: Answer("Something that jobs need is missing; `checks` says what.", {JSON: Ready}),
        },
    )
)
def ready() -> tuple[Response, int]:
    """Checks everything that jobs need, and returns 200 or 503."""
    services = current_services()
    redis = _check(services.records.check)
    checks = {
        "redis": redis,
        "store": _check(services.files.check),
        "models": _check(lambda: _default_model(services, services.workers.unopenable() if redis["ok"] else {})),
        "workers": _check(lambda: _workers(services)),
    }
    is_ready = all(check["ok"] for check in checks.values())
    paused = _check(lambda: {"paused": sorted(services.scripts.pause("read").since_ms)}) if redis["ok"] else {}
    shown = {"paused": paused["paused"]} if paused.get("paused") else {}
    return jsonify({"ready": is_ready, "checks": checks, **shown}), 200 if is_ready else 503


def _check(ask: Callable[[], Any]) -> dict[str, Any]:
    try:
        found = ask() or {}
    except RowcastError as error:
        return {"ok": False, "detail": error.public}
    return {"ok": True} | found


def _default_model(services: Services, unopenable: dict[str, str]) -> dict[str, Any]:
    """Checks that there is a model. It need not be the default one, because a request can name another."""
    found: dict[str, Any] = {"unopenable": unopenable} if unopenable else {}
    try:
        manifest = services.default_model.resolve()
    except NoDefaultModel as error:
        return found | {"ok": bool(error.names), "detail": error.detail}
    default = f"{manifest.name}@{manifest.version}"
    found["default"] = default
    if default in unopenable:
        found |= {"ok": False, "detail": unopenable[default]}
    return found


def _workers(services: Services) -> dict[str, Any]:
    online = services.workers.count()
    return {"online": online} | (
        {}
        if online
        else {
            "ok": False,
            "detail": "no worker sent a heartbeat in the last ten seconds",
        }
    )
