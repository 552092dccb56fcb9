"""The report of a process's open models: at once if they change, otherwise seldom."""

import os
from pathlib import Path

from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from worker.model_cache import ModelCache
from worker.model_report import ModelReport


def test_models_are_reported_when_they_change_and_not_after_every_work(redis: RedisClient, trained: Path) -> None:
    models, workers = ModelCache(Registry(Storage(str(trained))), "strict"), WorkerRegistry(redis)
    report = ModelReport(models, workers, "node")
    report.send_if_due()
    assert workers.states(["node"])["node"].models == {str(os.getpid()): {}}
    models.get("titanic", "1")
    report.send_if_due()
    (held,) = workers.states(["node"])["node"].models.values()
    assert list(held) == ["titanic@1"]
    assert held["titanic@1"].file_bytes == (trained / "titanic" / "1" / "model.pkl").stat().st_size
    redis.delete(key("worker", "node"))
    report.send_if_due()
    assert workers.states(["node"])["node"].models == {}, "nothing has changed, so nothing was sent"
