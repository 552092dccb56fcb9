"""The loop: what upkeep does every second.

Any number of these may run: every step is one atomic script, or safe to repeat.
"""

import time

from rowcast.jobs.job_files import Files
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts import Scripts
from rowcast.logs import logger
from rowcast.settings import Settings
from upkeep.rebuild import Rebuild

TICK_SECONDS = 1.0
ORPHANS_SECONDS = 600.0
"""Between two looks at all folders of the store, for files that nobody has; the first is at the start."""

_AT_ONCE = 500
"""Entries that one step looks at, so that no step holds Redis for long."""


class Upkeep:
    """One round is `tick`."""

    def __init__(self, redis: RedisClient, files: Files, settings: Settings) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, settings)
        self._rebuild = Rebuild(self._scripts, files, settings)
        self._files = files
        self._orphans_at = time.monotonic()
        self._log = logger("upkeep")

    def tick(self) -> None:
        """Does what is due now.

        Raises:
            Unavailable: Redis or the store is away; the next round goes on.
        """
        self._rebuild.rebuild_if_emptied()
        self._adopt()
        with redis_errors():
            put_back = self._scripts.resend(_AT_ONCE)
        if put_back:
            self._log.warning("hints_sent_again", hints=put_back)
        self._expire()
        self._sweep()

    def _adopt(self) -> None:
        if time.monotonic() >= self._orphans_at:
            self._rebuild.recover_orphans()
            self._orphans_at = time.monotonic() + ORPHANS_SECONDS

    def _expire(self) -> None:
        with redis_errors():
            seconds, _ = self._redis.time()
            ids = self._redis.zrangebyscore(key("expiring"), "-inf", int(seconds) * 1000, start=0, num=_AT_ONCE)
        for id in ids:
            self._files.forget(id.decode())
            with redis_errors():
                self._scripts.expire(id.decode())
            self._log.info("job_expired", job=id.decode())

    def _sweep(self) -> None:
        """Removes the files of jobs that expired, were deleted, or whose upload died with its gateway."""
        with redis_errors():
            ids = self._scripts.list_removable(_AT_ONCE)
        for id in ids:
            files = self._files.delete(id)  # where the store is away, the next round goes on from here
            with redis_errors():
                self._redis.zrem(key("removing"), id)
            if files:
                self._log.info("files_swept", job=id, files=files)
