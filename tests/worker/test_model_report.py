"""The report of a process's open models: at once if they change, otherwise seldom."""

import os
from pathlib import Path

import pytest
from programs import serving

from rowcast.jobs.progress.cluster_metrics import read_cluster_metrics
from rowcast.jobs.records.metric_fields import MetricField
from rowcast.jobs.records.redis_client import RedisClient, connect
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


def test_a_model_that_is_opened_while_redis_is_down_is_counted_once_later(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.model_report.PAUSE_SECONDS", 0.0)
    with serving(tmp_path) as server:
        models = ModelCache(Registry(Storage(str(trained))), "strict")
        report = ModelReport(models, WorkerRegistry(connect(server.url)), "node")
        server.stop()
        models.get("titanic", "1")
        report.send_if_due()
        server.start()
        report.send_if_due()
        report.send_if_due()
        loads = read_cluster_metrics(connect(server.url)).times[MetricField.MODEL_LOAD]
        assert {labels: sum(times.buckets) + times.beyond for labels, times in loads.items()} == {("titanic@1",): 1}
