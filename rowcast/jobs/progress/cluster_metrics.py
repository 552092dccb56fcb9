"""The metrics of the whole service at one moment: what the scripts have counted, the queue, and Redis's memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from rowcast.jobs.progress.work_queue import QueueState, read_queue
from rowcast.jobs.records.celery_queues import MESSAGES_SENT, REFUSED
from rowcast.jobs.records.metric_fields import BEYOND, BUCKETS_MS, SUM, TABLE, Metric, MetricField
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key

Labels = tuple[str, ...]
"""The values of a metric's labels, in the order of its row in the table."""


@dataclass
class Times:
    """A histogram of times."""

    #: How many times were at most each limit, and more than the one before. The limits are `BUCKETS_MS` in order.
    buckets: list[int] = field(default_factory=lambda: [0] * len(BUCKETS_MS))
    #: How many were longer than the last limit.
    beyond: int = 0
    #: All times together, in seconds.
    sum_seconds: float = 0.0


@dataclass(frozen=True)
class ClusterMetrics:
    """The metrics of the whole service at one moment."""

    #: Each counter that is not a histogram → its labels → its count.
    counters: Mapping[MetricField, Mapping[Labels, int]]
    #: Each histogram → its labels → its times.
    times: Mapping[MetricField, Mapping[Labels, Times]]
    #: What waits, and which workers are online.
    queue: QueueState
    #: Messages that scripts put on Celery's queues.
    messages_sent: int
    #: Messages that were dropped, because no script had put them on a queue.
    messages_refused: int
    #: Memory that Redis uses, in bytes.
    redis_bytes: int
    #: The most that it may use, in bytes; 0 if there is no limit.
    redis_most_bytes: int


def read_cluster_metrics(redis: RedisClient) -> ClusterMetrics:
    """Returns the metrics now.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    queue = read_queue(redis, None)
    with redis_errors(), redis.pipeline(transaction=False) as pipe:
        pipe.hgetall(key("metrics"))
        pipe.hmget(key("totals"), MESSAGES_SENT, REFUSED)
        pipe.info("memory")
        fields, (sent, refused), memory = pipe.execute()
    counters: dict[MetricField, dict[Labels, int]] = {
        name: _zeros(about) for name, about in TABLE.items() if not about.is_times
    }
    times: dict[MetricField, dict[Labels, Times]] = {name: {} for name in TABLE if TABLE[name].is_times}
    for written, number in fields.items():
        name, *labels = written.decode().split(" ")
        if name in times:
            *labels, place = labels
            _put(times[MetricField(name)].setdefault(tuple(labels), Times()), place, int(number))
        elif name in counters:
            counters[MetricField(name)][tuple(labels)] = int(number)
    return ClusterMetrics(
        counters,
        times,
        queue,
        messages_sent=int(sent or 0),
        messages_refused=int(refused or 0),
        redis_bytes=int(memory["used_memory"]),
        redis_most_bytes=int(memory["maxmemory"]),
    )


def _zeros(metric: Metric) -> dict[Labels, int]:
    """Returns 0 for each kind of job, if the counter has no other label: Prometheus sees no growth from none to 1."""
    return {(kind,): 0 for kind in ("batch", "single")} if metric.labels == ("kind",) else {}


def _put(times: Times, place: str, number: int) -> None:
    if place == SUM:
        times.sum_seconds = number / 1000
    elif place == BEYOND:
        times.beyond = number
    elif int(place) in BUCKETS_MS:
        times.buckets[BUCKETS_MS.index(int(place))] = number
