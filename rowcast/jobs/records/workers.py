"""The registry of workers: which are online, how many processes each has, and which models it cannot open."""

import json
from collections.abc import Mapping

from rowcast.jobs.records.policy import SILENT_SECONDS
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key

_REPORT_SECONDS = 86_400
"""How long the reports of unopenable models outlive the last heartbeat of any worker."""

_KEPT_SECONDS = 60 * SILENT_SECONDS
"""How long a worker without a heartbeat stays in the table."""


class WorkerRegistry:
    """The table of workers. A worker is called NODE: host and process id, for example `host:71`."""

    def __init__(self, redis: RedisClient) -> None:
        self._redis = redis

    def heartbeat(self, node: str, slots: int) -> None:
        """Notes that the worker `node` is online and has `slots` processes."""
        with redis_errors():
            now = self._now()
            self._redis.expire(key("unopenable"), _REPORT_SECONDS)
            self._redis.zadd(key("workers"), {f"{node}#{slots}": now})
            self._redis.zremrangebyscore(key("workers"), "-inf", now - _KEPT_SECONDS * 1000)
            self._redis.zremrangebyscore(key("workers"), now + SILENT_SECONDS * 1000, "+inf")  # the clock was set back

    def report_unopenable(self, node: str, reasons: Mapping[str, str]) -> None:
        """Replaces the worker's report of the models (`NAME@VERSION`) that it cannot open, and why."""
        with redis_errors():
            if reasons:
                self._redis.hset(key("unopenable"), node, json.dumps(dict(reasons)))
                self._redis.expire(key("unopenable"), _REPORT_SECONDS)
            else:
                self._redis.hdel(key("unopenable"), node)

    def unopenable(self) -> dict[str, str]:
        """Returns `NAME@VERSION` → the reason, for each model that a worker that is online cannot open."""
        with redis_errors():
            alive = self._redis.zrange(key("workers"), self._now() - SILENT_SECONDS * 1000, "+inf", byscore=True)
            nodes = {member.decode().rpartition("#")[0] for member in alive}
            reports = self._redis.hmget(key("unopenable"), sorted(nodes)) if nodes else []
        found: dict[str, str] = {}
        for report in reports:
            found |= json.loads(report) if report else {}
        return found

    def remove(self, node: str, slots: int) -> None:
        """Removes the worker from the table."""
        with redis_errors():
            self._redis.zrem(key("workers"), f"{node}#{slots}")
            self._redis.hdel(key("unopenable"), node)

    def count(self) -> int:
        """Returns how many workers are online."""
        with redis_errors():
            return int(self._redis.zcount(key("workers"), self._now() - SILENT_SECONDS * 1000, "+inf"))

    def _now(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds) * 1000 + float(microseconds) / 1000
