"""The drift of the last batch of a version."""

from rowcast.jobs.drift.batch_drift import BatchDrift, read_drift
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key


def read_last_drift(redis: RedisClient, reference: str) -> BatchDrift | None:
    """Returns the drift of the last batch of `NAME@VERSION`; None if none was compared.

    Raises:
        Unavailable: Redis cannot be reached.
    """
    with redis_errors():
        found = redis.hget(key("last_drift"), reference)
    return read_drift(found) if found else None
