"""The registry of workers: who sent a heartbeat lately, with how many slots, and which models they cannot open."""

import json
from collections.abc import Mapping

from rowcast.jobs.records.redis_client import Connection, redis_errors
from rowcast.jobs.records.redis_keys import key

BEAT_SECONDS = 2.0
SILENT_SECONDS = 10.0
"""A worker that has been silent for so long counts no more (prelude.lua's window goes by the same)."""


_REPORT_SECONDS = 86_400
"""How long the reports of unopenable models outlive the last worker's sign of life."""


class WorkerRegistry:
    """The table of workers."""

    def __init__(self, redis: Connection) -> None:
        self._redis = redis

    def heartbeat(self, node: str, slots: int) -> None:
        """Shows that the worker `node` lives and has so many processes."""
        with redis_errors():
            now = self._now()
            self._redis.expire(key("unopenable"), _REPORT_SECONDS)
            self._redis.zadd(key("workers"), {f"{node}#{slots}": now})
            self._redis.zremrangebyscore(key("workers"), "-inf", now - 60 * SILENT_SECONDS * 1000)
            self._redis.zremrangebyscore(key("workers"), now + SILENT_SECONDS * 1000, "+inf")  # the clock was put back

    def report_unopenable(self, node: str, reasons: Mapping[str, str]) -> None:
        """Replaces the worker's report of the models (`NAME@VERSION`) that it cannot open, and why."""
        with redis_errors():
            if reasons:
                self._redis.hset(key("unopenable"), node, json.dumps(dict(reasons)))
                self._redis.expire(key("unopenable"), _REPORT_SECONDS)
            else:
                self._redis.hdel(key("unopenable"), node)

    def unopenable(self) -> dict[str, str]:
        """`NAME@VERSION` to the reason for which a worker that lives cannot open it."""
        with redis_errors():
            alive = self._redis.zrange(key("workers"), self._now() - SILENT_SECONDS * 1000, "+inf", byscore=True)
            nodes = {member.decode().rpartition("#")[0] for member in alive}
            reports = self._redis.hmget(key("unopenable"), sorted(nodes)) if nodes else []
        found: dict[str, str] = {}
        for report in reports:
            found |= json.loads(report) if report else {}
        return found

    def remove(self, node: str, slots: int) -> None:
        """Takes the worker off the table."""
        with redis_errors():
            self._redis.zrem(key("workers"), f"{node}#{slots}")
            self._redis.hdel(key("unopenable"), node)

    def count(self) -> int:
        """How many workers live."""
        with redis_errors():
            return int(self._redis.zcount(key("workers"), self._now() - SILENT_SECONDS * 1000, "+inf"))

    def _now(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds) * 1000 + float(microseconds) / 1000
