"""Rebuilding: batch jobs that Redis has lost are made again from the store, and orphaned files are found.

A mark in Redis says that Redis knows all jobs of the store. If Redis is emptied, the mark is lost, too. A rebuilt job
is queued and scored again, which gives the same bytes. A job that was deleted or has expired has no manifest any more.
"""

from rowcast.errors import Refused
from rowcast.jobs import job_manifest
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.states import Status
from rowcast.logs import logger
from rowcast.settings import Settings

_BEGUN, _WHOLE = b"begun", b"whole"
_ENDED_FOR_GOOD = (Status.DELETED.encode(), Status.EXPIRED.encode())
"""Statuses of jobs that need no files any more."""


class Rebuild:
    """The first step of every round. Usually it only reads the mark."""

    def __init__(self, scripts: Scripts, files: Files, settings: Settings) -> None:
        self._redis = scripts.redis
        self._records = Records(scripts, settings)
        self._uploads = Uploads(scripts, settings)
        self._files = files
        self._log = logger("upkeep")

    def rebuild_if_emptied(self) -> None:
        """Makes the missing records if Redis was emptied. It is safe to repeat, and to run in two processes.

        Raises:
            Unavailable: Redis or the store cannot be used; the next round starts again.
        """
        with redis_errors():
            if self._redis.get(key("indexed")) == _WHOLE:
                return
            self._redis.set(key("indexed"), _BEGUN)
        self.rebuild_orphans()
        with redis_errors():  # if Redis was emptied again meanwhile, the mark stays absent
            self._redis.set(key("indexed"), _WHOLE, xx=True)

    def rebuild_orphans(self) -> None:
        """Finds files without a record. Their job is made again, or they are removed if nothing is added to them.

        Raises:
            Unavailable: as for `rebuild_if_emptied`.
        """
        orphans = self._orphans()
        rebuilt = sum(self._rebuild_one(id) for id, has_ended in orphans if not has_ended)
        for id, has_ended in orphans:
            if has_ended:  # a worker stored a part after the last sweep
                self._uploads.touch(id)
        if rebuilt:
            self._log.warning("jobs_rebuilt", jobs=rebuilt)
        if len(orphans) > rebuilt:
            self._log.warning("orphans_found", jobs=len(orphans) - rebuilt)

    def _orphans(self) -> list[tuple[str, bool]]:
        """Returns the jobs whose files are orphaned, and whether Redis knows them as deleted or expired.

        An upload is announced before its first file is stored. The list of removals is read before the record, so
        that no job escapes between the two.
        """
        ids = self._files.jobs()
        with redis_errors(), self._redis.pipeline(transaction=False) as pipe:
            for id in ids:
                pipe.zscore(key("removing"), id)
                pipe.hget(key("job", id), JobField.STATUS)
            answers = pipe.execute()
        found = zip(ids, answers[::2], answers[1::2], strict=True)
        lost = [(id, status) for id, removing, status in found if removing is None]
        return [(id, status is not None) for id, status in lost if status in (None, *_ENDED_FOR_GOOD)]

    def _rebuild_one(self, id: str) -> bool:
        document = self._files.get_manifest(id)
        if document is None:  # the upload still goes on, or broke off: if nothing more arrives, it is swept
            self._uploads.touch(id)
            return False
        new = job_manifest.read(id, document)
        if new is None:
            self._log.error("manifest_not_read", job=id, remedy="Update upkeep: a newer version may have written it.")
            return False
        try:
            _, outcome = self._records.rebuild(new)
        except Refused:  # it has just been deleted
            return False
        if outcome == "replayed":  # the caller has sent the same request again, and uses that job
            self._files.delete(id)
        if outcome == "made":
            self._log.warning("job_rebuilt", **new.spec.origin.fields(id))
        return outcome == "made"
