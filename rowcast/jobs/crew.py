"""The crew: which workers have shown a sign of life lately, and with how many slots."""

from rowcast.jobs.connection import Connection, speaking
from rowcast.jobs.keys import key

BEAT_SECONDS = 2.0
SILENT_SECONDS = 10.0
"""A worker that has been silent for so long counts no more (prelude.lua's window goes by the same)."""


class Crew:
    """The table of workers."""

    def __init__(self, redis: Connection) -> None:
        self._redis = redis

    def beat(self, node: str, slots: int) -> None:
        """Shows that the worker `node` lives and has so many processes."""
        with speaking():
            now = self._now()
            self._redis.zadd(key("workers"), {f"{node}#{slots}": now})
            self._redis.zremrangebyscore(key("workers"), "-inf", now - 60 * SILENT_SECONDS * 1000)
            self._redis.zremrangebyscore(key("workers"), now + SILENT_SECONDS * 1000, "+inf")  # the clock was put back

    def leave(self, node: str, slots: int) -> None:
        """Takes the worker off the table."""
        with speaking():
            self._redis.zrem(key("workers"), f"{node}#{slots}")

    def online(self) -> int:
        """How many workers live."""
        with speaking():
            return int(self._redis.zcount(key("workers"), self._now() - SILENT_SECONDS * 1000, "+inf"))

    def _now(self) -> float:
        seconds, microseconds = self._redis.time()
        return float(seconds) * 1000 + float(microseconds) / 1000
