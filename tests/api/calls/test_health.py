"""`/ready`: what a job needs, and what is wrong with it."""

from collections.abc import Iterator

import httpx
import pytest
from metrics import samples, total
from programs import Stack

from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.workers import WorkerRegistry

NODE = "machine:1"


@pytest.fixture
def workers(gateway: Stack) -> Iterator[WorkerRegistry]:
    """Returns a registry of workers with one live worker."""
    workers = WorkerRegistry(gateway.redis)
    workers.heartbeat(NODE, 2)
    yield workers
    workers.remove(NODE, 2)


def models(http: httpx.Client) -> dict:
    return http.get("/ready").json()["checks"]["models"]


def test_models_that_a_worker_cannot_open_are_named(http: httpx.Client, workers: WorkerRegistry) -> None:
    assert models(http) == {"ok": True, "default": "titanic@1"}
    workers.report_unopenable(NODE, {"other@2": "needs lightgbm"})
    workers.report_unopenable("gone:1", {"other@3": "reported by a worker that is not there any more"})
    assert models(http) == {"ok": True, "default": "titanic@1", "unopenable": {"other@2": "needs lightgbm"}}
    workers.report_unopenable(NODE, {"titanic@1": "needs lightgbm"})
    assert http.get("/ready").status_code == 503
    assert (models(http)["ok"], models(http)["detail"]) == (False, "needs lightgbm")
    workers.report_unopenable(NODE, {})
    workers.report_unopenable("gone:1", {})
    assert models(http) == {"ok": True, "default": "titanic@1"}


def test_metrics_show_how_long_upkeep_has_left_undone_what_is_due(gateway: Stack, http: httpx.Client) -> None:
    left_by_other_tests = total(samples(http), "rowcast_upkeep_overdue_seconds")
    assert 0 <= left_by_other_tests < 10_000
    seconds, _ = gateway.redis.time()
    gateway.redis.zadd(key("due"), {"job/1": (seconds - 10_000) * 1000, "job/2": (seconds + 100) * 1000})
    assert total(samples(http), "rowcast_upkeep_overdue_seconds") >= 10_000
    gateway.redis.zrem(key("due"), "job/1", "job/2")
