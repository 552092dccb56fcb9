"""Whether there is everything that a job needs. `/ready` shows it, and `rowcast doctor` begins with it."""

from collections.abc import Callable
from typing import Any

from rowcast.errors import NoDefaultModel, RowcastError
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.models.model_manifest import Manifest


def check_service(
    records: Records,
    files: Files,
    default_model: Callable[[], Manifest],
    workers: WorkerRegistry,
    *,
    shows_all: bool = False,
) -> dict[str, dict[str, Any]]:
    """Returns the state of `redis`, `store`, `models` and `workers`: `ok`, and a `detail` of what is wrong.

    `default_model` finds it, or raises. With `shows_all`, a detail also has what only operators may see.
    """

    def check(ask: Callable[[], Any]) -> dict[str, Any]:
        try:
            found = ask() or {}
        except RowcastError as error:
            return {"ok": False, "detail": error.detail if shows_all else error.public}
        return {"ok": True} | found

    redis = check(records.check)
    return {
        "redis": redis,
        "store": check(files.check),
        "models": check(lambda: _default_model(default_model, workers.unopenable() if redis["ok"] else {})),
        "workers": check(lambda: _workers(workers)),
    }


def _default_model(default_model: Callable[[], Manifest], unopenable: dict[str, str]) -> dict[str, Any]:
    """Checks that there is a model. It need not be the default one, because a request can name another."""
    found: dict[str, Any] = {"unopenable": unopenable} if unopenable else {}
    try:
        manifest = default_model()
    except NoDefaultModel as error:
        return found | {"ok": bool(error.names), "detail": error.detail}
    default = f"{manifest.name}@{manifest.version}"
    found["default"] = default
    if default in unopenable:
        found |= {"ok": False, "detail": unopenable[default]}
    return found


def _workers(workers: WorkerRegistry) -> dict[str, Any]:
    online = workers.count()
    if online:
        return {"online": online}
    return {"online": 0, "ok": False, "detail": "no worker sent a heartbeat in the last ten seconds"}
