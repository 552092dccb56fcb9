"""Rebuilding: where Redis was emptied, batch jobs come back from what the store holds.

A mark in Redis says that it knows all jobs of the store; it is gone with everything else. A job comes back as queued
and is scored again, which gives the same bytes. One that was deleted, or whose time was over, has no manifest any more.
"""

from rowcast.jobs import manifest
from rowcast.jobs.connection import Connection, speaking
from rowcast.jobs.files import Files
from rowcast.jobs.keys import key
from rowcast.jobs.records import Records
from rowcast.logs import logger
from rowcast.settings import Settings

_BEGUN, _WHOLE = b"begun", b"whole"


class Rebuild:
    """What upkeep does first in every round; mostly it costs one look at the mark."""

    def __init__(self, redis: Connection, files: Files, settings: Settings) -> None:
        self._redis = redis
        self._records = Records(redis, settings)
        self._files = files
        self._log = logger("upkeep")

    def if_emptied(self) -> None:
        """Makes the records that are missing, if Redis was emptied; safe to repeat, and to run in two places.

        Raises:
            Unavailable: Redis or the store is away; the next round begins again.
        """
        with speaking():
            if self._redis.get(key("known")) == _WHOLE:
                return
            self._redis.set(key("known"), _BEGUN)
        made = sum(self._remake(id) for id in self._unknown())
        with speaking():  # only if it was not emptied once more meanwhile
            self._redis.set(key("known"), _WHOLE, xx=True)
        if made:
            self._log.warning("jobs_came_back", jobs=made)

    def _unknown(self) -> list[str]:
        ids = self._files.jobs()
        with speaking(), self._redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.exists(key("job", id))
            return [id for id, known in zip(ids, pipe.execute(), strict=True) if not known]

    def _remake(self, id: str) -> bool:
        document = self._files.get_manifest(id)
        new = manifest.read(id, document) if document is not None else None
        if new is None:  # an upload that still goes on, or broke off: upkeep sweeps it if it stays silent
            self._records.still_expect(id)
            return False
        _, outcome = self._records.make_again(new)
        if outcome == "replayed":  # the caller sent it once more, and has that one
            self._files.delete(id)
        return outcome == "made"
