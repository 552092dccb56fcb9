"""`/health` and `/ready`: whether the gateway runs, and whether jobs are accepted and scored."""

from typing import Any, NotRequired

from flask import Blueprint, Response, jsonify
from typing_extensions import TypedDict

from api.openapi.call_types import JSON, Answer, Call, documented
from api.services import Services, current_services
from rowcast.errors import Unavailable
from rowcast.jobs.progress.service_checks import check_service
from rowcast.pools import read_pools

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
    #: If there are pools of workers: those without a worker; null is the default pool. Their jobs wait.
    pools_without_worker: NotRequired[list[str | None]]


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
    found = checks(services)
    is_ready = all(check["ok"] for check in found.values())
    paused = _paused(services) if found["redis"]["ok"] else []
    shown = {"paused": paused} if paused else {}
    return jsonify({"ready": is_ready, "checks": found, **shown}), 200 if is_ready else 503


def checks(services: Services) -> dict[str, dict[str, Any]]:
    """Returns the state of everything that jobs need, as `check_service` does."""
    pools = read_pools(services.settings.pools).with_work
    return check_service(services.records, services.files, services.default_model.resolve, services.workers, pools)


def _paused(services: Services) -> list[str]:
    try:
        return sorted(services.scripts.pause("read").since_ms)
    except Unavailable:  # Redis went away in this moment, and the next probe sees it
        return []
