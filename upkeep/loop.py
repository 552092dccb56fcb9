"""The loop: what upkeep does every second.

Any number of upkeep processes may run: every step is one atomic script, or safe to repeat.
"""

import time

from redis.exceptions import ResponseError

from rowcast.errors import RedisRefuses
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import fields_about
from rowcast.jobs.records.redis_client import RedisClient, redis_errors
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.request_files.request_file import StoredRequests
from rowcast.jobs.request_files.request_files import RequestFiles
from rowcast.logs import logger
from rowcast.settings import Settings
from upkeep.expiry import expire_jobs, fail_late_jobs
from upkeep.lost_processes import LostProcesses
from upkeep.rebuild import Rebuild
from upkeep.sweep import sweep_files, sweep_request_files
from upkeep.wanted import count_wanted

TICK_SECONDS = 1.0
"""Pause between two rounds."""

ORPHANS_SECONDS = 600.0
"""Time between two searches of the whole store for orphaned files. There is one at the start, and after a fail-over."""

_RESENT_PER_ROUND = 500
"""Largest number of chunks and rows that one round offers again, so that the script is short."""


class Upkeep:
    """Upkeep of one Redis and one store. `tick` does one round."""

    def __init__(self, redis: RedisClient, files: Files, settings: Settings) -> None:
        self._scripts = Scripts(redis, settings)
        self._settings = settings
        self._files = files
        self._request_files = RequestFiles(StoredRequests(files.storage), self._scripts, settings)
        self._lost_processes = LostProcesses(self._scripts)
        self._rebuild = Rebuild(self._scripts, files, settings)
        self._search_orphans_at = time.monotonic()
        self._run_id = ""

    def tick(self) -> None:
        """Does what is due now.

        Raises:
            Unavailable: Redis or the store cannot be used; the next round continues.
        """
        count_wanted(self._scripts, self._settings)  # this and the next step need no store
        fail_late_jobs(self._scripts)
        self._rebuild.rebuild_if_emptied()
        self._rebuild_orphans()
        self._lost_processes.end_leases()
        self._resend_lost_messages()
        expire_jobs(self._scripts, self._files)
        sweep_files(self._scripts, self._files)

    def _rebuild_orphans(self) -> None:
        """Searches from time to time, and when another Redis answers: a replica may lack the last jobs."""
        run_id = self._ask_run_id()
        if run_id != self._run_id or time.monotonic() >= self._search_orphans_at:
            self._rebuild.rebuild_orphans()
            sweep_request_files(self._request_files)
            self._search_orphans_at, self._run_id = time.monotonic() + ORPHANS_SECONDS, run_id

    def _ask_run_id(self) -> str:
        """Returns the id of this run of the server; empty if Redis does not allow the question."""
        try:
            with redis_errors():
                return str(self._scripts.redis.info("server").get("run_id", ""))
        except (ResponseError, RedisRefuses):
            return ""

    def _resend_lost_messages(self) -> None:
        with redis_errors():
            resent = self._scripts.resend(_RESENT_PER_ROUND)
        if resent:
            about = fields_about(self._scripts.redis, resent)
            logger("upkeep").warning("messages_resent", messages=len(resent), **about)
