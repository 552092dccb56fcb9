"""The counters and histograms of the hash `rowcast:metrics`: their names and labels, in one table.

The script that commits a change also counts it here, so that what is counted has happened, and happened once, however
many gateways and workers there are. A field is called `NAME LABELS`, for example `rows titanic@3 bad`. A histogram
has a field for each bucket that is not empty and one for the sum, for example `chunk titanic@3 250` and
`chunk titanic@3 sum`. All numbers are integers; times are milliseconds.
"""

from contextlib import suppress
from enum import StrEnum
from typing import Any, NamedTuple

from redis.exceptions import RedisError

from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key

BUCKETS_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000, 1_800_000)
"""Upper limits of a histogram's buckets. Without one for longer times, which are counted as `+`."""

SUM, BEYOND = "sum", "+"


class MetricField(StrEnum):
    """The name of a metric. Lua gets it from here, as `M.rows`."""

    JOBS = "jobs"
    ROWS = "rows"
    WAIT = "wait"
    CHUNK = "chunk"
    LEASES_LOST = "leases_lost"
    WORK_FAILED = "work_failed"
    RETRIES = "retries"
    MODEL_LOAD = "model_load"
    STORE_ERRORS = "store_errors"
    SHADOW_ROWS = "shadow_rows"
    SHADOW_ERRORS = "shadow_errors"


class Metric(NamedTuple):
    """What there is to know about one metric."""

    #: Its name in Prometheus, without `rowcast_`, and without `_total` or `_seconds`.
    shown_as: str
    #: The names of its labels, in the order of the field's name. `model` is shown as `model` and `version`.
    labels: tuple[str, ...]
    #: What it counts.
    about: str
    #: Whether it is a histogram of times.
    is_times: bool = False


_F = MetricField

TABLE: dict[MetricField, Metric] = {
    _F.JOBS: Metric("jobs", ("kind", "model", "outcome"), "Jobs that have ended. A job that is retried ends again."),
    _F.ROWS: Metric("rows", ("model", "outcome"), "Rows that were scored: `predicted`, or `bad` if they could not be."),
    _F.WAIT: Metric("queue_wait", ("kind", "model"), "From the making of a job to the first lease of its work.", True),
    _F.CHUNK: Metric("chunk", ("model",), "From the lease of a chunk to the commit of its part.", True),
    _F.LEASES_LOST: Metric("leases_lost", ("kind",), "Leases that ran out or whose process died."),
    _F.WORK_FAILED: Metric("work_failed", ("kind",), "Attempts at a chunk or row that ended with an error."),
    _F.RETRIES: Metric("retries", ("model",), "Failed or cancelled jobs that were retried."),
    _F.MODEL_LOAD: Metric("model_load", ("model",), "Time in which a worker process opened a model.", True),
    _F.STORE_ERRORS: Metric("store_errors", ("program",), "Calls of a worker or of upkeep that the store failed."),
    _F.SHADOW_ROWS: Metric(
        "shadow_rows",
        ("model", "shadow", "outcome"),
        "Rows that a shadow scored, too: `same` or `differing`, or `failed` if only the shadow could not predict them.",
    ),
    _F.SHADOW_ERRORS: Metric("shadow_errors", ("model", "shadow"), "Chunks that a shadow could not score."),
}


def lua_buckets() -> str:
    """Returns the limits of the buckets as a table of Lua."""
    return f"{{{', '.join(map(str, BUCKETS_MS))}}}"


def observe_ms(pipe: Any, name: MetricField, labels: str, milliseconds: float) -> None:
    """Adds a time to a histogram, as `observe_ms` in `lua/shared/metrics.lua` does."""
    bucket = next((str(limit) for limit in BUCKETS_MS if milliseconds <= limit), BEYOND)
    pipe.hincrby(key("metrics"), f"{name} {labels} {bucket}", 1)
    pipe.hincrby(key("metrics"), f"{name} {labels} {SUM}", round(milliseconds))


def count_store_error(redis: RedisClient, program: str) -> None:
    """Counts that the store failed a call of `worker` or `upkeep`. If Redis is down, too, it is not counted."""
    with suppress(RedisError):
        redis.hincrby(key("metrics"), f"{MetricField.STORE_ERRORS} {program}", 1)


def markdown() -> list[str]:
    """Returns the lines of the table for the documentation."""
    lines = ["| metric | labels | counts |", "| --- | --- | --- |"]
    return [*lines, *(_line(metric) for metric in TABLE.values())]


def _line(metric: Metric) -> str:
    labels = ", ".join("model, version" if label == "model" else label for label in metric.labels)
    unit = "seconds" if metric.is_times else "total"
    return f"| `rowcast_{metric.shown_as}_{unit}` | {labels} | {metric.about} |"
