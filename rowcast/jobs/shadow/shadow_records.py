"""What is counted of shadows in Redis: of each job, and of each pair of versions."""

from collections.abc import Sequence

from rowcast.errors import Unavailable
from rowcast.jobs.records.leases import ChunkLease
from rowcast.jobs.records.metric_fields import MetricField
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.shadow.shadow_counts import PublicShadow, ShadowCounts, public_shadow


class ShadowRecords:
    """Counts chunks that a shadow has scored.

    Raises:
        Unavailable: from any call, if Redis cannot be reached or refuses work.
    """

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def begin(self, lease: ChunkLease) -> bool:
        """Notes that a chunk is compared now.

        Returns False if its job is gone, or if too many comparisons have begun and not ended: a shadow that kills its
        processes ends none. That counts as an error.
        """
        return self._scripts.begin_shadow(lease.id, lease.chunk, lease.attempt)

    def end(self, lease: ChunkLease, counts: ShadowCounts) -> None:
        """Adds the counts of a chunk, once, whose comparison has begun."""
        self._scripts.end_shadow(lease.id, lease.chunk, lease.attempt, counts)


def counted(redis: RedisClient, pairs: Sequence[tuple[str, str]]) -> list[PublicShadow | None]:
    """Returns what `read_pairs` returns, as callers see it; None for each if Redis cannot be read."""
    try:
        found = read_pairs(redis, pairs)
    except Unavailable:
        return [None] * len(pairs)
    return [public_shadow(shadow, counts) for (_, shadow), counts in zip(pairs, found, strict=True)]


def read_pairs(redis: RedisClient, pairs: Sequence[tuple[str, str]]) -> list[ShadowCounts]:
    """Returns what all jobs of each pair have counted: the version of the job, and its shadow, each `NAME@VERSION`.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    if not pairs:
        return []
    fields = [
        *(f"{MetricField.SHADOW_ROWS} {{}} {{}} {outcome}" for outcome in ("same", "differing", "failed")),
        f"{MetricField.SHADOW_ERRORS} {{}} {{}}",
    ]
    with redis_errors():
        found = redis.hmget(key("metrics"), [field.format(*pair) for pair in pairs for field in fields])
    read = iter([int(count or 0) for count in found])
    return [
        ShadowCounts(same + differing, differing, failed, errors)
        for same, differing, failed, errors in zip(read, read, read, read, strict=True)
    ]
