"""The records of resumable uploads in Redis: how much is stored of each, which request may append, and how it ended."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from rowcast.errors import UnknownUpload, UploadComplete, UploadGone, UploadTaken
from rowcast.jobs.records.live_limits import limits_of, queue_full
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField, Record, UploadField, named
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.request import StoredRequest
from rowcast.jobs.states import UploadState
from rowcast.settings import Settings

_HOW_IT_ENDED = {
    UploadState.DELETED: "was deleted.",
    UploadState.ABANDONED: "was silent for too long, and was removed.",
}


@dataclass(frozen=True)
class UploadRecord:
    """A resumable upload as its record has it."""

    #: Its id, which is also that of the job that is made of it.
    id: str
    #: Name of the API key that created it; empty if the gateway has no keys.
    owner: str
    #: Whether it is open, or how it ended.
    state: UploadState
    #: Number of bytes that are stored.
    offset: int
    #: Number of bytes of the whole file, if the sender has said it.
    length: int | None
    #: What was asked for; None if it has ended.
    request: StoredRequest | None
    #: Id of the job that a complete upload led to. It may be an earlier job, of the same request.
    job: str
    #: Why it was refused.
    reason: str

    @property
    def is_complete(self) -> bool:
        """Whether its job was made."""
        return self.state is UploadState.COMPLETE

    def require_open(self) -> StoredRequest:
        """Returns what was asked for.

        Raises:
            UploadComplete: its job was made. UploadGone: it has ended without a job.
        """
        if self.is_complete:
            raise UploadComplete(f"Upload {self.id} is complete. Its job is {self.job}.")
        if self.request is None:
            how = _HOW_IT_ENDED.get(self.state, f"was refused: {self.reason}")
            raise UploadGone(f"Upload {self.id} {how}")
        return self.request


@dataclass(frozen=True)
class Hold:
    """The right of one request to append to an upload, until another request takes it."""

    #: The upload when the request took it.
    upload: UploadRecord
    #: What distinguishes this request from all others.
    token: str


class ResumableUploads:
    """All resumable uploads.

    Raises:
        Unavailable: from any call, if Redis cannot be reached or refuses work.
    """

    def __init__(self, scripts: Scripts, settings: Settings) -> None:
        self._scripts, self._settings = scripts, settings

    def create(self, id: str, request: StoredRequest, length: int | None) -> None:
        """Creates an upload. If it falls silent, upkeep removes it.

        Raises:
            QueueFull: there are as many live jobs and open uploads as may be, of all owners or of this one.
        """
        fields = {UploadField.REQUEST: request.model_dump_json(exclude_unset=True)}
        if length is not None:
            fields[UploadField.LENGTH] = str(length)
        full = self._scripts.create_upload(id, request.owner, limits_of(self._settings, request.owner), fields)
        if full:
            raise queue_full(full, self._settings)

    def get(self, id: str) -> UploadRecord:
        """Returns an upload, also one that ended less than a day ago.

        Raises:
            UnknownUpload: there is no such upload.
        """
        with redis_errors():
            found = self._scripts.redis.hgetall(key("upload", id))
        return _record(id, found)

    def hold(self, id: str) -> Hold:
        """Makes the caller the only one that may append. What another request appends from now on does not count.

        Raises:
            UnknownUpload: there is no such upload.
        """
        token = secrets.token_hex(6)
        found = self._scripts.hold_upload(id, token)
        return Hold(_record(id, dict(zip(found[::2], found[1::2], strict=True))), token)

    def append(self, hold: Hold, offset: int, length: int) -> None:
        """Counts a segment that is in the store: the bytes from `offset` on.

        Raises:
            UploadTaken: another request has taken the upload.
            UnknownUpload, UploadGone: it has ended.
        """
        outcome = self._scripts.append_segment(hold.upload.id, hold.token, offset, length)
        if outcome == "gone":
            self.get(hold.upload.id).require_open()
        if outcome != "appended":
            raise UploadTaken(f"Another request goes on with upload {hold.upload.id}.")

    def segments(self, id: str) -> list[tuple[int, str]]:
        """Returns offset and token of each segment, in order."""
        offset, found = 0, []
        with redis_errors():
            entries = self._scripts.redis.lrange(key("segments", id), 0, -1)
        for entry in entries:
            length, _, token = entry.decode().partition(" ")
            found.append((offset, token))
            offset += int(length)
        return found

    def known_chunks(self, id: str) -> int:
        """Returns how many chunks of the upload have been added to Redis."""
        with redis_errors():
            return int(self._scripts.redis.hget(key("job", id), JobField.CHUNKS) or 0)

    def close(self, id: str, state: UploadState, *, job: str = "", reason: str = "") -> bool:
        """Ends an upload of which no job with its id was made. Returns whether it was open; then its files can go."""
        return self._scripts.close_upload(id, state, job, reason)


def _record(id: str, found: Mapping[bytes, bytes]) -> UploadRecord:
    if not found:
        raise UnknownUpload(f"Upload not found: {id}.")
    record: Record = named(found)

    def text(field: UploadField) -> str:
        return record.get(field, b"").decode()

    length, request = text(UploadField.LENGTH), text(UploadField.REQUEST)
    return UploadRecord(
        id=id,
        owner=text(UploadField.OWNER),
        state=UploadState(text(UploadField.STATE)),
        offset=int(text(UploadField.OFFSET)),
        length=int(length) if length else None,
        request=StoredRequest.model_validate_json(request) if request else None,
        job=text(UploadField.JOB),
        reason=text(UploadField.REASON),
    )
