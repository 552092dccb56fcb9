"""`rowcast doctor`, on a real Redis, a store and a registry that have real faults."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from programs import NO_OVERRIDE, ROOT, RedisServer, libfaketime, serving

from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.models.model_manifest import Draft, Feature, Requirement
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage

Report = Callable[..., tuple[int, list[dict]]]


@pytest.fixture(autouse=True)
def _a_healthy_service(
    redis: RedisClient, settings: Settings, trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    WorkerRegistry(redis).heartbeat("node", 2)
    redis.set(key("indexed"), b"whole")
    shutil.copytree(trained, settings.models)
    Path(settings.store).mkdir()
    for name in ("redis_url", "store", "models"):
        monkeypatch.setenv(f"ROWCAST_{name.upper()}", getattr(settings, name))


@pytest.fixture
def report(rowcast) -> Report:
    """Runs the command. Returns its exit code, and the findings that are not well."""

    def run() -> tuple[int, list[dict]]:
        done = rowcast("doctor", "--json")
        document = json.loads(done.stdout)
        assert document["healthy"] == (done.returncode == 0)
        return done.returncode, [one for one in document["findings"] if one["state"] in ("warning", "fault")]

    return run


def only(found: tuple[int, list[dict]], area: str, *words: str, state: str = "fault") -> None:
    """Checks that one thing is wrong, that the report says so, and that it says what to do."""
    code, ((one),) = found
    assert (code, one["area"], one["state"]) == (int(state == "fault"), area, state), one
    for word in words:
        assert word in one["message"] + one["remedy"], one
    assert one["remedy"]


@contextmanager
def configured(redis: RedisClient, name: str, value: str) -> Iterator[None]:
    before = redis.config_get(name)[name]
    redis.config_set(name, value)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        redis.config_set(name, before)  # type: ignore[attr-defined]


def test_a_healthy_service_has_no_fault_and_the_report_says_what_was_checked(rowcast, report: Report) -> None:
    assert report() == (0, [])
    done = rowcast("doctor")
    assert done.stderr == b"Found 0 faults and 0 warnings.\n"
    areas = {line.split()[1] for line in done.stdout.decode().splitlines() if not line.startswith(" ")}
    assert areas == {"settings", "redis", "store", "models", "workers", "upkeep", "gateway", "cache"}


def test_a_redis_that_may_delete_records_is_found(report: Report, redis: RedisClient) -> None:
    with configured(redis, "maxmemory", str(2**30)), configured(redis, "maxmemory-policy", "allkeys-lru"):
        only(report(), "redis", "allkeys-lru", "CONFIG SET maxmemory-policy noeviction")


def test_a_redis_that_writes_no_file_or_writes_it_late_is_found(report: Report, redis: RedisClient) -> None:
    with configured(redis, "appendfsync", "everysec"):
        only(report(), "redis", "everysec", "CONFIG SET appendfsync always", state="warning")
    with configured(redis, "appendonly", "no"):
        only(report(), "redis", "appendonly is off", "CONFIG SET appendonly yes")


def test_a_redis_whose_memory_is_full_is_found(report: Report, redis: RedisClient) -> None:
    with configured(redis, "maxmemory", "1mb"):
        only(report(), "redis", "out of memory", "maxmemory")


def test_a_redis_whose_memory_is_nearly_full_is_found(report: Report, redis: RedisClient) -> None:
    used_bytes = redis.info("memory")["used_memory"]
    with configured(redis, "maxmemory", str(used_bytes * 10 // 9)):
        only(report(), "redis", "nearly full", "maxmemory", state="warning")


def test_a_redis_that_is_a_replica_is_found(report: Report, redis: RedisClient) -> None:
    redis.execute_command("REPLICAOF", "127.0.0.1", "1")  # type: ignore[no-untyped-call]
    try:
        only(report(), "redis", "takes no writes", "Name the primary")
    finally:
        redis.execute_command("REPLICAOF", "NO", "ONE")  # type: ignore[no-untyped-call]


def test_a_redis_that_is_away_is_found(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWCAST_REDIS_URL", "redis://127.0.0.1:1/0")
    only(report(), "redis", "cannot be reached", "ROWCAST_REDIS_URL")


@pytest.mark.skipif(
    libfaketime() is None and os.environ.get("CI") != "true", reason="there is no libfaketime here to move a clock by"
)
def test_a_clock_that_is_an_hour_ahead_is_found(
    report: Report, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with serving(tmp_path) as server:
        server.move_clock(3600)
        prepare(server)
        monkeypatch.setenv("ROWCAST_REDIS_URL", server.url)
        only(report(), "redis", "ahead of the clock", "NTP", state="warning")


def prepare(server: RedisServer) -> None:
    from rowcast.jobs.records.redis_client import connect

    redis = connect(server.url)
    WorkerRegistry(redis).heartbeat("node", 2)
    redis.set(key("indexed"), b"whole")
    redis.close()


def test_a_store_that_cannot_be_written_is_found(settings: Settings) -> None:
    folder = Path(settings.store)
    folder.chmod(0o500)
    done = subprocess.run(
        [*NO_OVERRIDE, sys.executable, "-m", "rowcast.cli", "doctor", "--json"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    folder.chmod(0o700)
    faults = [one for one in json.loads(done.stdout)["findings"] if one["state"] == "fault"]
    only((done.returncode, faults), "store", "rights of its folder")


def test_a_store_that_everybody_can_write_and_one_that_is_not_there_are_found(
    report: Report, settings: Settings
) -> None:
    Path(settings.store).chmod(0o777)
    only(report(), "store", "chmod o-w", state="warning")
    Path(settings.store).rmdir()
    only(report(), "store", "does not exist")
    assert not Path(settings.store).exists()


def test_a_disk_of_the_store_that_is_nearly_full_is_found(report: Report, settings: Settings) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", settings.store], check=True)
    try:
        Path(settings.store, "ballast").write_bytes(bytes(1000 * 1024))
        only(report(), "store", "nearly full", "ROWCAST_RETENTION", state="warning")
    finally:
        subprocess.run(["umount", "--lazy", settings.store], check=True)


def add(settings: Settings, name: str, **draft: object) -> None:
    """Registers a model that cannot be opened here."""
    registry = Registry(Storage(settings.models))
    feature = Feature(name="age", kind="number", missing=False)
    registry.register(name, pickle.dumps(1), Draft(task="regression", features=[feature], **draft))  # type: ignore[arg-type]


def test_a_model_of_another_scikit_learn_or_with_a_missing_package_is_found(report: Report, settings: Settings) -> None:
    add(settings, "old", libraries={"scikit-learn": "0.1.0"})
    only(report(), "models", "old@1 was trained with scikit-learn 0.1.0")
    Registry(Storage(settings.models)).remove("old", "1")
    missing = {"notthere": Requirement(distribution="not-there", version="1.0", optional=False)}
    add(settings, "lacking", libraries={"scikit-learn": "1.0"}, requires=missing)
    only(report(), "models", "lacking@1 needs not-there 1.0", "pip install not-there==1.0")


def test_a_model_whose_file_was_changed_is_found(report: Report, settings: Settings) -> None:
    (file,) = (one for one in Path(settings.models).rglob("*") if one.name.startswith("model."))
    file.write_bytes(b"something else")
    only(report(), "models", "titanic@1")


def test_a_model_without_a_signature_is_found_if_there_is_a_key(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROWCAST_MODEL_KEY", "f" * 64)
    only(report(), "models", "titanic@1", "sign", "register the model again")


def test_no_worker_no_upkeep_and_a_pause_are_found(report: Report, redis: RedisClient, settings: Settings) -> None:
    WorkerRegistry(redis).remove("node", 2)
    only(report(), "workers", "no worker sent a heartbeat", "python -m worker")
    WorkerRegistry(redis).heartbeat("node", 2)
    Scripts(redis, settings).pause("pause", "all")
    only(report(), "workers", "Paused: all", "rowcast resume", state="warning")
    Scripts(redis, settings).pause("resume", "")
    redis.zadd(key("due"), {"job/1": 1})
    only(report(), "upkeep", "does not run", "python -m upkeep")


def test_a_model_that_a_worker_cannot_open_is_found(report: Report, redis: RedisClient) -> None:
    WorkerRegistry(redis).report_unopenable("node", {"other@1": "needs lightgbm"})
    only(report(), "workers", "other@1", "needs lightgbm", state="warning")


def test_settings_that_are_not_valid_or_not_known_are_found(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROWCAST_RETENTON", "5")
    only(report(), "settings", "ROWCAST_RETENTON is not a setting", "ROWCAST_RETENTION", state="warning")
    monkeypatch.delenv("ROWCAST_RETENTON")
    monkeypatch.setenv("ROWCAST_API_KEYS_FILE", "/nowhere/keys")
    only(report(), "settings", "/nowhere/keys")
    monkeypatch.delenv("ROWCAST_API_KEYS_FILE")
    monkeypatch.setenv("ROWCAST_RECEIPT_KEY_FILE", "/nowhere/receipts")
    only(report(), "settings", "/nowhere/receipts", "rowcast receipt-key new")
    monkeypatch.setenv("ROWCAST_RETENTION", "soon")
    only(report(), "settings", "ROWCAST_RETENTION")
