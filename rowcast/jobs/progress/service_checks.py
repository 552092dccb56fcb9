"""Whether there is everything that a job needs. `/ready` shows it, and `rowcast doctor` begins with it."""

from collections.abc import Callable, Sequence
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
    pools: Sequence[str] = ("",),
    *,
    shows_all: bool = False,
) -> dict[str, dict[str, Any]]:
    """Returns the state of `redis`, `store`, `models` and `workers`: `ok`, and a `detail` of what is wrong.

    `default_model` finds it, or raises. `pools` are those that can get work. With `shows_all`, a detail also has what
    only operators may see.
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
        "workers": check(lambda: _workers(workers, pools)),
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


def _workers(workers: WorkerRegistry, pools: Sequence[str]) -> dict[str, Any]:
    """Checks that there is a worker. A pool without one is named, as null if it is the default pool: its jobs wait."""
    online = workers.online()
    if not online:
        return {"online": 0, "ok": False, "detail": "no worker sent a heartbeat in the last ten seconds"}
    if len(pools) < 2:
        return {"online": len(online)}
    served = {worker.pool for worker in online}
    without = [pool for pool in pools if pool not in served]
    found: dict[str, Any] = {"online": len(online), "pools_without_worker": [pool or None for pool in without]}
    names = " and ".join(f"the pool {pool}" if pool else "the default pool" for pool in without)
    return found | {"detail": f"no worker is online for {names}"} if without else found
