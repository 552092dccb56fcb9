"""The rate limiter: limits the requests per minute of an API key. All gateways count together, in Redis."""

import math
import time

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter
from redis.exceptions import RedisError

from rowcast.errors import RateLimited
from rowcast.jobs.records.redis_client import connect
from rowcast.jobs.records.redis_keys import key
from rowcast.logs import logger

_TIMEOUT_SECONDS = 0.5
_PAUSE_SECONDS = 5.0
"""While Redis is unreachable, requests are not counted. This is the time until the limiter tries Redis again."""


class _Storage(RedisStorage):
    """Counters in Redis, without `valkey`: the library would import it too, for 2.5 MB and 40 ms, and not use it."""

    DEPENDENCIES = {"redis": RedisStorage.DEPENDENCIES["redis"]}  # noqa: RUF012 - as in the class itself


class RateLimiter:
    """Counts with a sliding window of two counters per key.

    Fixed minutes would allow twice the limit around the change from one minute to the next.
    """

    def __init__(self, redis_url: str, per_minute: int) -> None:
        """Prepares the limiter, which connects at the first count. With `per_minute` 0 there is no limit."""
        pool = connect(redis_url, _TIMEOUT_SECONDS).connection_pool
        storage = _Storage("redis://", connection_pool=pool, key_prefix=key("requests").removesuffix(":"))
        self._window = SlidingWindowCounterRateLimiter(storage)
        self._limit = RateLimitItemPerMinute(per_minute, namespace="requests") if per_minute else None
        self._asks_from = 0.0

    def count(self, name: str) -> None:
        """Counts a request of the key called `name`.

        Raises:
            RateLimited: the request exceeds the limit. It was not counted.
        """
        if self._limit is None or time.monotonic() < self._asks_from:
            return
        try:
            if self._window.hit(self._limit, name):
                return
            reset_at = self._window.get_window_stats(self._limit, name).reset_time
        except RedisError as error:
            self._asks_from = time.monotonic() + _PAUSE_SECONDS
            logger("limiter").warning("not_counted", reason=str(error), pause_seconds=_PAUSE_SECONDS)
            return
        raise RateLimited(self._limit.amount, max(1, math.ceil(reset_at - time.time())))
