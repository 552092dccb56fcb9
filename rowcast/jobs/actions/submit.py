"""Submitting: a request becomes a job, whole or not at all."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import uuid_utils

from rowcast.errors import QueueFull, Refused, Unavailable
from rowcast.jobs import job_manifest
from rowcast.jobs.actions.receive_upload import OnProgress, UploadReceiver
from rowcast.jobs.job import Spec
from rowcast.jobs.job_files import Files
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.request import Request
from rowcast.settings import Settings


@dataclass(frozen=True)
class Submitted:
    """The job's id, whether the same request had made it before, and what was, or would have been, made now."""

    id: str
    replayed: bool
    new: NewJob


class Submit:
    """Makes jobs.

    Raises:
        Refused: the request is wrong. Unavailable: Redis or the store is away, or the queue is full.
        In either case nothing is left behind.
    """

    def __init__(self, records: Records, uploads: Uploads, files: Files, settings: Settings) -> None:
        self._records = records
        self._uploads = uploads
        self._files = files
        self._settings = settings

    def single(self, request: Request, values: list[Any], id: str | None = None) -> Submitted:
        """One row; `values` in the order of the model's features, checked."""
        new = NewJob(
            id=id or new_id(),
            owner=request.owner,
            spec=Spec(kind="single", model=request.model, options=request.options, request_id=request.request_id),
            rows=1,
            chunks=1,
            values=values,
            repeat=request.repeat(json.dumps(values)),
        )
        return self._make(new)

    def batch(
        self,
        request: Request,
        blocks: Iterable[bytes],
        id: str | None = None,
        *,
        is_generated: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Submitted:
        """A CSV that arrives in blocks of any size; it is cut, stored and counted as it goes by.

        `is_generated` and `on_progress` are as in `UploadReceiver`.
        """
        id = id or new_id()
        self._uploads.announce(id, request.owner)
        try:
            reception = UploadReceiver(
                self._uploads,
                self._files,
                self._settings,
                request,
                id,
                is_generated=is_generated,
                on_progress=on_progress,
            )
            new = reception.take(blocks)
            self._uploads.touch(id)
            self._files.put_manifest(id, job_manifest.write(new))
        except BaseException:  # also a caller that hangs up, or a greenlet that is killed
            self._drop(id)
            raise
        try:
            submitted = self._make(new)
        except (Refused, QueueFull):
            self._drop(id)
            raise
        # Any other fault leaves open whether the job was made: its files stay, and upkeep sweeps them if it was not.
        if submitted.id != id:
            self._drop(id)
        return submitted

    def _drop(self, id: str) -> None:
        """Removes what was stored; where Redis or the store is away just now, upkeep looks at it once more."""
        self._files.delete_manifest(id)  # first: from here on nothing can bring it back
        with suppress(Unavailable):
            self._uploads.withdraw(id)
        self._files.delete(id)

    def _make(self, new: NewJob) -> Submitted:
        id, outcome = self._records.make(new)
        return Submitted(id, outcome == "replayed", new)


def new_id() -> str:
    """A UUIDv7: ids sort by time."""
    return str(uuid_utils.uuid7())
