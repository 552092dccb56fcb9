"""Errors of requests that are valid: the caller may not do this, or what it asks for is not there in this state."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rowcast.errors.root import RowcastError


class NoKey(RowcastError):
    """The request came without an API key, and the service requires one."""

    slug = "no-key"
    title = "API key required"
    remedy = "Send `Authorization: Bearer KEY` or `X-API-Key: KEY`. The operator makes keys: `rowcast keys new NAME`."


class UnknownKey(NoKey):
    """The service does not know the API key."""

    slug = "unknown-key"
    title = "Unknown API key"
    remedy = "Check the key for missing characters. If it was revoked, ask the operator for a new one."


class ExpiredKey(NoKey):
    """The service knows the API key, but it was valid only until a day that has passed."""

    slug = "expired-key"
    title = "Expired API key"
    remedy = "Ask the operator for a new one. It can have the same name, so that your jobs stay yours."


class Forbidden(RowcastError):
    """The API key is valid, but does not have the role or scope that this call needs."""

    slug = "forbidden"
    title = "Not allowed"
    remedy = "Use a key with the scope that the message names, or the key of an admin."


class OtherSite(Forbidden):
    """A page of another site had a browser send the request, as its header `Sec-Fetch-Site` says."""

    slug = "other-site"
    title = "Sent by another site"
    remedy = "Open the page of this service, and send it there. Programs are not affected."


class RateLimited(RowcastError):
    """The API key made more requests in a minute than `ROWCAST_RATE_LIMIT` allows."""

    slug = "rate-limited"
    title = "Too many requests"
    remedy = "Wait as long as `Retry-After` says. Send many rows in one file instead of many requests."

    def __init__(self, limit: int, retry_after_seconds: int) -> None:
        """`limit` is the number of requests that are allowed in a minute."""
        super().__init__(
            f"This API key made more than {limit} requests in a minute (ROWCAST_RATE_LIMIT). "
            f"Try again in {retry_after_seconds} s."
        )
        self.limit, self.retry_after_seconds = limit, retry_after_seconds


class NotFound(RowcastError):
    """What the path or the request names never existed, or belongs to another API key."""

    slug = "not-found"
    title = "Not found"
    remedy = "Check the spelling; the message gives the nearest name if there is one."

    @classmethod
    def file(cls, path: Path) -> "NotFound":
        """Returns the error that a file that a command needs is not there."""
        return cls(f"File not found: {path}.")


class UnknownJob(NotFound):
    """No job ever had this id, or the job belongs to another API key."""

    slug = "unknown-job"
    title = "Unknown job"
    remedy = "Check the id; `GET /jobs` lists your jobs."


class UnknownUpload(NotFound):
    """No resumable upload has this id, or it belongs to another API key, or it ended more than a day ago."""

    slug = "unknown-upload"
    title = "Unknown upload"
    remedy = "Create a new upload with `POST /uploads`, and send the file from its start."


class UnknownFile(NotFound):
    """No file of requests has this id, or it belongs to another API key, or it was deleted, or its time is over."""

    slug = "unknown-file"
    title = "Unknown file"
    remedy = "Send the file again with `POST /v1/files`. `GET /v1/files` lists those that are there."


class UnknownModel(NotFound):
    """No model has this name, or the model does not have this version or alias."""

    slug = "unknown-model"
    title = "Unknown model"
    remedy = "Check the spelling; `GET /models` lists models, versions and aliases."


class Gone(RowcastError):
    """What the request names existed, but was removed."""

    slug = "gone"
    title = "Gone"
    remedy = "Send the rows again as a new job."


class JobDeleted(Gone):
    """The job was deleted with all its files."""

    slug = "job-deleted"
    title = "Job deleted"


class JobExpired(Gone):
    """The files of the job were removed because `ROWCAST_RETENTION` has passed since its end."""

    slug = "job-expired"
    title = "Job expired"
    remedy = "Send the rows again. To keep files for longer, the operator can raise `ROWCAST_RETENTION`."


class UploadGone(Gone):
    """The resumable upload has ended without a job: it was refused or deleted, or nothing came for six hours."""

    slug = "upload-gone"
    title = "Upload gone"
    remedy = "Correct what `detail` names, create a new upload with `POST /uploads`, and send the file from its start."


class NotAcceptable(RowcastError):
    """The header `Accept` excludes every media type that the service can send here."""

    slug = "not-acceptable"
    title = "Not acceptable"
    remedy = "Remove the header `Accept`, or name a type that the message lists."


class WrongState(RowcastError):
    """The present state of the job does not allow this."""

    slug = "wrong-state"
    title = "Wrong state"
    remedy = "Check `status` in `GET /jobs/ID`."

    def __init__(
        self, detail: str, problem: Mapping[str, Any] | None = None, retry_after_seconds: int | None = None
    ) -> None:
        """`problem` is the error in the job's record. `retry_after_seconds` is only given if waiting helps."""
        super().__init__(detail)
        self.problem, self.retry_after_seconds = problem, retry_after_seconds


class JobUnfinished(WrongState):
    """The job has not ended, so its result or its list of errors is not complete."""

    slug = "job-unfinished"
    title = "Job has not ended"
    remedy = "Wait with `GET /jobs/ID?wait=60`; `GET /jobs/ID/result?follow=true` sends rows as they are scored."


class NoResult(WrongState):
    """The job failed or was cancelled, so it has no result. The member `error` says why it failed."""

    slug = "no-result"
    title = "Job has no result"
    remedy = "Correct what `error` names and send the file again, or retry the job with `POST /jobs/ID/retry`."


class JobEnded(WrongState):
    """The job has already ended, so it cannot be cancelled."""

    slug = "job-ended"
    title = "Job has ended"
    remedy = "Nothing needs to be done. `DELETE /jobs/ID` deletes the job and its files."


class NotRepairable(WrongState):
    """The job cannot be repaired now: only a batch whose rows are all done can, and only one repair at a time."""

    slug = "not-repairable"
    title = "Job cannot be repaired"
    remedy = "Wait for the job's end, and fetch its bad rows again with `GET /jobs/ID/errors?as=input`."


class NotRetryable(WrongState):
    """The job cannot be retried: only a batch that failed or was cancelled before all its rows were scored can."""

    slug = "not-retryable"
    title = "Job cannot be retried"
    remedy = "Send the rows again as a new job, after correcting them if they caused the failure."


class NoReceipt(WrongState):
    """The job cannot have a receipt: it has a single row, its files were read by URL, or its model was removed."""

    slug = "no-receipt"
    title = "Job has no receipt"
    remedy = "Send the rows as a file, with a model that is registered, and ask for the receipt after the job's end."


class WrongOffset(WrongState):
    """`Upload-Offset` of a `PATCH` is not the number of bytes that the service has."""

    slug = "wrong-offset"
    title = "Wrong offset"
    remedy = "Go on at the `Upload-Offset` of this response. `HEAD /uploads/ID` has it, too."

    def __init__(self, detail: str, offset: int) -> None:
        """`offset` is the right one, in bytes."""
        super().__init__(detail)
        self.offset = offset


class UploadTaken(WrongState):
    """Another request for the same upload came later, and goes on with it."""

    slug = "upload-taken"
    title = "Upload taken over"
    remedy = "Send an upload over one connection at a time. To go on here, ask for the offset with `HEAD /uploads/ID`."


class UploadComplete(WrongState):
    """The upload is complete, and its job was made. Nothing can be added to it."""

    slug = "upload-complete"
    title = "Upload is complete"
    remedy = "An empty `PATCH` with `Upload-Complete: ?1` returns the job."


class AliasMoved(WrongState):
    """An alias was to be moved only if it names a certain version, and it names another one."""

    slug = "alias-moved"
    title = "Alias names another version"
    remedy = "Look at what the alias names now, compare with that version, and move the alias again if it should move."

    def __init__(self, name: str, alias: str, expected: str | None, current: str | None) -> None:
        """`expected` and `current` are versions; None is that the alias does not exist."""
        now = f"is version {current} now" if current else "does not exist now"
        wanted = f"not version {expected}" if expected else "although it was not to exist"
        super().__init__(f"{name}@{alias} {now}, {wanted}; it was not moved.")
