"""The metrics over time of each model: in Redis, and in the store, from which they come back if Redis was emptied.

actuals/NAME.json    day and version → its metrics
"""

import json
from collections.abc import Mapping

from rowcast.jobs.actuals.actuals_report import DayMetrics
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.storage import Storage

MOST_KEPT = 2_000
"""How many days and versions of a model are kept, the newest."""


class ActualsRecords:
    """Keeps and reads the metrics of days and versions.

    Raises:
        Unavailable: from both methods, if Redis or the store cannot be used.
    """

    def __init__(self, redis: RedisClient, storage: Storage) -> None:
        self._redis, self._storage = redis, storage

    def keep(self, model: str, days: list[DayMetrics]) -> None:
        """Keeps the metrics of days and versions, in place of those that were known of them.

        What only the store or only Redis knows is copied to the other. So what one of them has lost comes back.
        """
        if not days:
            return
        new = {_field(one): json.dumps(one) for one in days}
        known = {**self._stored(model), **self._in_redis(model), **new}
        kept = dict(sorted(known.items())[-MOST_KEPT:])
        self._storage.put(_object(model), json.dumps({name: json.loads(one) for name, one in kept.items()}).encode())
        with redis_errors(), self._redis.pipeline(transaction=True) as pipe:
            for name, document in kept.items():
                (pipe.hset if name in new else pipe.hsetnx)(key("actuals", model), name, document)
            for name in known.keys() - kept.keys():
                pipe.hdel(key("actuals", model), name)
            pipe.execute()

    def read(self, model: str) -> list[DayMetrics]:
        """Returns the metrics of each day and version, oldest first."""
        documents = self._in_redis(model) or self._stored(model)
        found: list[DayMetrics] = [json.loads(document) for document in documents.values()]
        return sorted(found, key=lambda one: (one["day"], int(one["version"])))

    def _in_redis(self, model: str) -> Mapping[str, str]:
        with redis_errors():
            found = self._redis.hgetall(key("actuals", model))
        return {name.decode(): document.decode() for name, document in found.items()}

    def _stored(self, model: str) -> Mapping[str, str]:
        try:
            found = json.loads(self._storage.get(_object(model)))
        except FileNotFoundError:
            return {}
        return {name: json.dumps(one) for name, one in found.items()}


def _object(model: str) -> str:
    return f"actuals/{model}.json"


def _field(one: DayMetrics) -> str:
    return f"{one['day']} {one['version']}"
