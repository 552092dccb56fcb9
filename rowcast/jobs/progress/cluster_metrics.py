"""The metrics of the whole service at one moment: what the scripts have counted, the queue, and Redis's memory."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rowcast.jobs.audit.checks import ENDS
from rowcast.jobs.drift.batch_drift import BatchDrift, read_drift
from rowcast.jobs.drift.drift_figures import DRIFT_SHOWN_SECONDS
from rowcast.jobs.progress.work_queue import QueueState, read_queue
from rowcast.jobs.records.celery_queues import MESSAGES_SENT, REFUSED
from rowcast.jobs.records.metric_fields import BEYOND, BUCKETS_MS, SUM, TABLE, Metric, MetricField
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key

Labels = tuple[str, ...]
"""The values of a metric's labels, in the order of its row in the table."""

_VALUES: dict[Labels, tuple[str, ...]] = {("kind",): ("batch", "single"), ("program",): ("worker", "upkeep")}
"""The values of the labels of some counters."""


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
    #: Accepted jobs that have not ended and are not counted as unfinished either. It is 0, or something is wrong.
    jobs_unaccounted: int
    #: Messages that scripts put on Celery's queues.
    messages_sent: int
    #: Messages that were dropped, because no script had put them on a queue.
    messages_refused: int
    #: Memory that Redis uses, in bytes.
    redis_bytes: int
    #: The most that it may use, in bytes: its `maxmemory`, or else the memory of its machine; 0 if it shows neither.
    redis_most_bytes: int
    #: How long what upkeep should have done has been due, in seconds; 0 if nothing is. Upkeep looks once a second.
    upkeep_overdue_seconds: float
    #: The drift of the last batch of each version that scored one in the last week.
    drift: Sequence[BatchDrift]


def read_cluster_metrics(redis: RedisClient, pools: Sequence[str] = ()) -> ClusterMetrics:
    """Returns the metrics now. `pools` are those of the settings.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    queue = read_queue(redis, None, pools)
    with redis_errors(), redis.pipeline(transaction=True) as pipe:  # its counts of jobs are those of one moment
        pipe.hgetall(key("metrics"))
        pipe.hgetall(key("totals"))
        pipe.hget(key("live"), "*")
        pipe.info("memory")
        pipe.hvals(key("last_drift"))
        pipe.zrange(key("due"), 0, 0, withscores=True)
        pipe.time()
        fields, totals, live, memory, last_drift, due, (seconds, microseconds) = pipe.execute()
    totals = Counter({name.decode(): int(number) for name, number in totals.items()})
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
        jobs_unaccounted=totals["jobs_accepted"] - sum(totals[f"jobs_{end}"] for end in ENDS) - int(live or 0),
        messages_sent=totals[MESSAGES_SENT],
        messages_refused=totals[REFUSED],
        redis_bytes=int(memory["used_memory"]),
        redis_most_bytes=int(memory["maxmemory"] or memory.get("total_system_memory", 0)),
        upkeep_overdue_seconds=max((seconds + microseconds / 1e6 - due_ms / 1000 for _, due_ms in due), default=0.0),
        drift=[
            drift for drift in map(read_drift, last_drift) if drift.at_ms / 1000 > time.time() - DRIFT_SHOWN_SECONDS
        ],
    )


def _zeros(metric: Metric) -> dict[Labels, int]:
    """Returns 0 for each value of the labels, if they are known: Prometheus sees no growth from none to 1."""
    return {(value,): 0 for value in _VALUES.get(metric.labels, ())}


def _put(times: Times, place: str, number: int) -> None:
    if place == SUM:
        times.sum_seconds = number / 1000
    elif place == BEYOND:
        times.beyond = number
    elif int(place) in BUCKETS_MS:
        times.buckets[BUCKETS_MS.index(int(place))] = number
