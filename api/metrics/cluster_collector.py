"""The metrics of the whole service in Prometheus's terms."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from rowcast.jobs.drift.batch_drift import BatchDrift
from rowcast.jobs.progress.cluster_metrics import ClusterMetrics, Labels, Times
from rowcast.jobs.progress.pool_state import PoolState
from rowcast.jobs.progress.work_queue import QueueState
from rowcast.jobs.records.metric_fields import BUCKETS_MS, TABLE, MetricField


class ClusterCollector(Collector):
    """Shows metrics that were read from Redis."""

    def __init__(self, metrics: ClusterMetrics) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        """Yields each metric with all its labels."""
        for name, counts in self._metrics.counters.items():
            yield _counter(name, counts)
        for name, times in self._metrics.times.items():
            yield _histogram(name, times)
        yield _model_loads(self._metrics.times[MetricField.MODEL_LOAD])
        yield from _of_queue(self._metrics.queue)
        yield from _of_redis(self._metrics)
        yield _drift(self._metrics.drift)


def _counter(name: MetricField, counts: Mapping[Labels, int]) -> Metric:
    about = TABLE[name]
    family = CounterMetricFamily(f"rowcast_{about.shown_as}", about.about, labels=_names(about.labels))
    for labels, count in sorted(counts.items()):
        family.add_metric(_values(about.labels, labels), count)
    return family


def _histogram(name: MetricField, times: Mapping[Labels, Times]) -> Metric:
    about = TABLE[name]
    family = HistogramMetricFamily(f"rowcast_{about.shown_as}_seconds", about.about, labels=_names(about.labels))
    for labels, one in sorted(times.items()):
        counts = list(accumulate([*one.buckets, one.beyond]))
        limits = [*(f"{limit / 1000:g}" for limit in BUCKETS_MS), "+Inf"]
        family.add_metric(_values(about.labels, labels), list(zip(limits, counts, strict=True)), one.sum_seconds)
    return family


def _model_loads(times: Mapping[Labels, Times]) -> Metric:
    """Returns how many times the histogram has, as a separate counter, which is easier to ask for."""
    family = CounterMetricFamily(
        "rowcast_model_loads", "Models that a worker process has opened.", labels=_names(["model"])
    )
    for labels, one in sorted(times.items()):
        family.add_metric(_values(["model"], labels), sum(one.buckets) + one.beyond)
    return family


def _of_queue(queue: QueueState) -> Iterator[Metric]:
    yield _gauge("unfinished_jobs", "Jobs that have not ended.", queue.unfinished_jobs)
    yield from _of_pools(queue.pools)
    paused = GaugeMetricFamily(
        "rowcast_paused", "1 for what is handed to no worker (`rowcast pause`).", labels=["what"]
    )
    for what in sorted({"all", "batch", "single", *queue.paused}):
        paused.add_metric([what], int(what in queue.paused))
    yield paused
    memory = sum(one.memory_bytes or 0 for one in queue.workers)
    yield _gauge("workers_memory_bytes", "Resident memory of all workers. Shared pages count for each.", memory)


def _of_pools(pools: Sequence[PoolState]) -> Iterator[Metric]:
    """Yields what each pool has. The default pool's samples have no label `pool`, as if there were no pools."""
    depth = GaugeMetricFamily("rowcast_queue_depth", "Chunks and rows that wait for a process.")
    age = GaugeMetricFamily("rowcast_queue_age_seconds", "Age of the oldest job whose work waits; 0 if none does.")
    online = GaugeMetricFamily("rowcast_workers_online", "Workers that sent a heartbeat lately.")
    processes = GaugeMetricFamily("rowcast_worker_processes", "Their processes that score.")
    busy = GaugeMetricFamily("rowcast_worker_processes_busy", "Those of them that have a lease.")
    wanted = GaugeMetricFamily("rowcast_wanted_processes", "Processes that are worth having for the work that waits.")
    for pool in pools:
        own = {"pool": pool.pool} if pool.pool else {}
        batch, single = {"queue": "batch"} | own, {"queue": "single"} | own
        depth.add_sample(depth.name, batch, pool.chunks_waiting)
        depth.add_sample(depth.name, single, pool.rows_waiting)
        age.add_sample(age.name, batch, pool.chunks_age_seconds or 0)
        age.add_sample(age.name, single, pool.rows_age_seconds or 0)
        online.add_sample(online.name, own, pool.workers)
        processes.add_sample(processes.name, own, pool.processes)
        busy.add_sample(busy.name, own, pool.busy_processes)
        wanted.add_sample(wanted.name, own, pool.wanted_processes)
    yield from (depth, age, online, processes, busy, wanted)


def _of_redis(metrics: ClusterMetrics) -> Iterator[Metric]:
    yield _gauge(
        "jobs_unaccounted",
        "Accepted jobs that neither ended nor are unfinished. 0 if all is well.",
        metrics.jobs_unaccounted,
    )
    yield _gauge("redis_memory_bytes", "Memory that Redis uses.", metrics.redis_bytes)
    limit = "Redis's maxmemory, or the memory of its machine if there is none."
    yield _gauge("redis_memory_limit_bytes", limit, metrics.redis_most_bytes)
    yield _gauge(
        "upkeep_overdue_seconds",
        "How long what upkeep should have done has been due. Above a few seconds, no upkeep runs.",
        max(0.0, metrics.upkeep_overdue_seconds),
    )
    sent = CounterMetricFamily("rowcast_messages_sent", "Messages that were put on Celery's queues.")
    sent.add_metric([], metrics.messages_sent)
    yield sent
    refused = CounterMetricFamily("rowcast_messages_refused", "Messages of others that workers dropped.")
    refused.add_metric([], metrics.messages_refused)
    yield refused


def _drift(batches: Iterable[BatchDrift]) -> Metric:
    """Returns the PSI of each column of the last batch of each version. A batch keeps at most 50."""
    family = GaugeMetricFamily(
        "rowcast_drift_psi",
        "PSI of a column of the last batch of at least 200 rows, against the model's sample.",
        labels=[*_names(["model"]), "feature"],
    )
    for batch in batches:
        psi = {column.name: column.psi for column in batch.columns}
        for name, value in sorted(psi.items()):
            family.add_metric([*_values(["model"], (batch.model,)), name], value)
    return family


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"rowcast_{name}", about, value=value)


def _names(labels: Iterable[str]) -> list[str]:
    return [name for label in labels for name in (("model", "version") if label == "model" else (label,))]


def _values(names: Iterable[str], labels: Labels) -> list[str]:
    """Returns the values of the labels. Two models in one pass are shown with a comma, as `a,b` and `1,2`."""
    found: list[str] = []
    for name, value in zip(names, labels, strict=True):
        if name == "model":
            models = [one.rpartition("@") for one in value.split(",")]
            found += [",".join(one[0] for one in models), ",".join(one[2] for one in models)]
        else:
            found.append(value)
    return found
