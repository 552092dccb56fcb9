"""Rebuilding: batch jobs that Redis has lost come back from what the store holds; files of nobody are announced.

A mark in Redis says that it knows all jobs of the store; it is gone with everything else. A job comes back as queued
and is scored again, which gives the same bytes. One that was deleted, or whose time was over, has no manifest any more.
"""

from rowcast.errors import Refused
from rowcast.jobs import job_manifest
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.records.scripts import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.states import Status
from rowcast.logs import logger
from rowcast.settings import Settings

_BEGUN, _WHOLE = b"begun", b"whole"
_ENDED_FOR_GOOD = (Status.DELETED.encode(), Status.EXPIRED.encode())
"""Statuses of a record that needs no files any more."""


class Rebuild:
    """What upkeep does first in every round; mostly it costs one look at the mark."""

    def __init__(self, scripts: Scripts, files: Files, settings: Settings) -> None:
        self._redis = scripts.redis
        self._records = Records(scripts, settings)
        self._uploads = Uploads(scripts, settings)
        self._files = files
        self._log = logger("upkeep")

    def rebuild_if_emptied(self) -> None:
        """Makes the records that are missing, if Redis was emptied; safe to repeat, and to run in two places.

        Raises:
            Unavailable: Redis or the store is away; the next round begins again.
        """
        with redis_errors():
            if self._redis.get(key("indexed")) == _WHOLE:
                return
            self._redis.set(key("indexed"), _BEGUN)
        self.recover_orphans()
        with redis_errors():  # only if it was not emptied once more meanwhile
            self._redis.set(key("indexed"), _WHOLE, xx=True)

    def recover_orphans(self) -> None:
        """Finds the files that nobody has: their job is made again, or they are swept when they have lain still.

        Raises:
            Unavailable: as `rebuild_if_emptied`.
        """
        orphans = self._orphans()
        made = sum(self._remake(id) for id, was_ended in orphans if not was_ended)
        for id, was_ended in orphans:
            if was_ended:  # a worker stored a part after the last sweep
                self._uploads.touch(id)
        if made:
            self._log.warning("jobs_came_back", jobs=made)
        if len(orphans) > made:
            self._log.warning("orphans_announced", jobs=len(orphans) - made)

    def _orphans(self) -> list[tuple[str, bool]]:
        """Jobs with files that need none and await no sweep, and whether they are known as deleted or expired.

        What is announced was so before its first file: a sweep is asked for before the record, so none slips through.
        """
        ids = self._files.jobs()
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.zscore(key("removing"), id)
                pipe.hget(key("job", id), JobField.STATUS)
            answers = pipe.execute()
        found = zip(ids, answers[::2], answers[1::2], strict=True)
        lost = [(id, status) for id, swept, status in found if swept is None]
        return [(id, status is not None) for id, status in lost if status in (None, *_ENDED_FOR_GOOD)]

    def _remake(self, id: str) -> bool:
        document = self._files.get_manifest(id)
        new = job_manifest.read(id, document) if document is not None else None
        if new is None:  # an upload that still goes on, or broke off: upkeep sweeps it if it stays silent
            self._uploads.touch(id)
            return False
        try:
            _, outcome = self._records.recreate(new)
        except Refused:  # it was deleted this very moment
            return False
        if outcome == "replayed":  # the caller sent it once more, and has that one
            self._files.delete(id)
        return outcome == "made"
