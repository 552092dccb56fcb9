"""The metrics over time of each model, in Redis."""

import json

from rowcast.jobs.actuals.actuals_report import DayMetrics
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key

MOST_KEPT = 2_000
"""How many days and versions of a model are kept, the newest."""


def keep_days(redis: RedisClient, model: str, days: list[DayMetrics]) -> None:
    """Keeps the metrics of days and versions, in place of those that were known of them. Raises Unavailable."""
    if not days:
        return
    target = key("actuals", model)
    with redis_errors(), redis.pipeline(transaction=True) as pipe:
        for one in days:
            pipe.hset(target, _field(one), json.dumps(one))
        pipe.hkeys(target)
        *_, names = pipe.execute()
        for name in sorted(names)[:-MOST_KEPT]:
            pipe.hdel(target, name)
        pipe.execute()


def read_days(redis: RedisClient, model: str) -> list[DayMetrics]:
    """Returns the metrics of each day and version, oldest first. Raises Unavailable."""
    with redis_errors():
        found: list[DayMetrics] = [json.loads(document) for document in redis.hgetall(key("actuals", model)).values()]
    return sorted(found, key=lambda one: (one["day"], int(one["version"])))


def _field(one: DayMetrics) -> str:
    return f"{one['day']} {one['version']}"
