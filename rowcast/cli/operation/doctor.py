"""The command `doctor`, which looks for what is wrong with a service, and says what to do."""

from collections import Counter
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from rowcast.cli.connection_options import Json
from rowcast.cli.data_location import Data
from rowcast.cli.output import print_json, say
from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.cli.operation.checks.diagnosis import Diagnosis
    from rowcast.cli.operation.service_settings import LookedAt

_REMEDIES = {
    "redis": "Start it, or correct ROWCAST_REDIS_URL.",
    "store": "Correct ROWCAST_STORE, the rights of its folder or the space of its disk.",
    "models": "rowcast models add FILE --name NAME --features-from CSV, or correct ROWCAST_MODELS.",
    "workers": "Start one: python -m worker, or docker compose up -d worker. Its log says why it ends.",
}


def add_to(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(doctor)


def doctor(data: Data = None, json: Json = False) -> int:
    """Check settings, Redis, store, models, workers and upkeep, and say what to do.

    Looks at the service that runs on this machine, or at the one that ROWCAST_REDIS_URL and ROWCAST_STORE name. It
    changes nothing. The exit code is 1 if there is a fault.

    Examples:
        rowcast doctor
    """
    found = list(_findings(data))
    states = Counter(one.state for one in found)
    if json:
        print_json({"healthy": not states["fault"], "findings": [one._asdict() for one in found]})
    else:
        for one in found:
            print(f"{one.state:<8} {one.area:<9} {one.message}")
            if one.remedy:
                print(f"{'':<18} → {one.remedy}")
        say(f"Found {counted(states['fault'], 'fault')} and {counted(states['warning'], 'warning')}.")
    return 1 if states["fault"] else 0


def _findings(data: Path | None) -> Iterator["Diagnosis"]:
    from rowcast.cli.operation.checks.diagnosis import Diagnosis
    from rowcast.cli.operation.checks.redis_checks import redis_findings
    from rowcast.cli.operation.checks.store_checks import settings_findings
    from rowcast.cli.operation.service_settings import find_service
    from rowcast.errors import BadSetting

    try:
        service = find_service(data)
    except BadSetting as error:
        yield Diagnosis("fault", "settings", error.detail, "Correct it. Nothing else was checked.")
        return
    yield from settings_findings(service.settings)
    checks = yield from _readiness(service)
    if checks["redis"]["ok"]:
        yield from redis_findings(service.settings.redis_url)
    yield from _of_this_machine(service)


def _readiness(service: "LookedAt") -> Generator["Diagnosis", None, Mapping[str, Mapping[str, Any]]]:
    """Yields what `/ready` would say, and what goes further of store and models. Returns the checks of `/ready`."""
    from rowcast.cli.operation.checks.diagnosis import Diagnosis
    from rowcast.cli.operation.checks.model_checks import model_findings
    from rowcast.cli.operation.checks.store_checks import store_findings
    from rowcast.errors import Unavailable
    from rowcast.jobs.job_files import Files
    from rowcast.jobs.progress.service_checks import check_service
    from rowcast.jobs.records.job_records import Records
    from rowcast.jobs.records.redis_client import connect
    from rowcast.jobs.records.scripts.script_methods import Scripts
    from rowcast.jobs.records.workers import WorkerRegistry
    from rowcast.models.default_model import DefaultModel
    from rowcast.models.registry import Registry
    from rowcast.pools import read_pools
    from rowcast.storage import Storage

    settings = service.settings
    for place in (settings.store, settings.models):
        if "://" not in place and not Path(place).is_dir():  # opening it would make it
            yield Diagnosis("fault", "store", f"The folder {place} does not exist.", _REMEDIES["store"])
            return {"redis": {"ok": True}}
    try:
        storage, registry = Storage(settings.store), Registry(Storage(settings.models), settings.model_key)
    except Unavailable as error:
        yield Diagnosis("fault", "store", error.detail, _REMEDIES["store"])
        return {"redis": {"ok": False}}
    with closing(connect(settings.redis_url)) as redis:
        records = Records(Scripts(redis, settings), settings)
        default = DefaultModel(registry, settings)
        pools, workers = read_pools(settings.pools).with_work, WorkerRegistry(redis)
        checks = check_service(records, Files(storage), default.resolve, workers, pools, shows_all=True)
    yield from _of_readiness(checks)
    yield from store_findings(storage)
    try:
        yield from model_findings(registry, settings)
    except Unavailable as error:
        yield Diagnosis("fault", "models", error.detail, _REMEDIES["models"])
    return checks


def _of_readiness(checks: Mapping[str, Mapping[str, Any]]) -> Iterator["Diagnosis"]:
    from rowcast.cli.operation.checks.diagnosis import Diagnosis

    well = {
        "store": "It can be written and read.",
        "workers": f"{counted(checks['workers'].get('online', 0), 'worker')} online.",
        "models": f"The default is {checks['models'].get('default')}.",
    }
    for area, check in checks.items():
        if area == "workers" and not checks["redis"]["ok"]:
            continue
        if not check["ok"]:
            yield Diagnosis("fault", area, str(check["detail"]), _REMEDIES[area])
        elif "detail" in check:
            models = "Set ROWCAST_DEFAULT_MODEL, or name a model each time."
            workers = "Start one with ROWCAST_POOL, or change ROWCAST_POOLS. Its jobs wait until then."
            yield Diagnosis("warning", area, str(check["detail"]), models if area == "models" else workers)
        elif area in well:
            yield Diagnosis("ok", area, well[area])
    for model, reason in checks["models"].get("unopenable", {}).items():
        yield Diagnosis("warning", "workers", f"A worker cannot open {model}: {reason}", "Do this where it runs.")


def _of_this_machine(service: "LookedAt") -> Iterator["Diagnosis"]:
    from rowcast.cli.operation.checks.diagnosis import Diagnosis
    from rowcast.cli.operation.checks.model_checks import cache_finding
    from rowcast.compiled_cache import wanted_folder

    location = service.location
    yield cache_finding(wanted_folder(location.compiled_code if location else None))
    if location is None or location.instance is None:
        yield Diagnosis(
            "skipped", "gateway", "No `rowcast up` runs here. GET /health of the gateway says whether it runs."
        )
        return
    import httpx

    url = location.instance.url
    try:
        httpx.get(f"{url}/health", timeout=5).raise_for_status()
    except httpx.HTTPError as error:
        yield Diagnosis("fault", "gateway", f"{url} does not answer: {error}", "Look at the log of `rowcast up`.")
    else:
        yield Diagnosis("ok", "gateway", f"{url} answers.")
