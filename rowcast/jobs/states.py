"""The states of a job, and the one table of which may follow which; and those of a resumable upload.

The scripts in Redis get all of this, too.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import WithJsonSchema


class Status(StrEnum):
    """The state of a job. Two of them are internal: a call never shows them."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    ARRIVING = "arriving"
    """Internal: the input is still being uploaded. Workers score its chunks, but no call or count shows the job."""
    DELETED = "deleted"
    """Internal: only a tombstone is left of the job."""

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended: no worker may add to it any more."""
        return self not in (Status.ARRIVING, Status.QUEUED, Status.RUNNING)

    @property
    def is_internal(self) -> bool:
        """Whether no call shows a job in this state."""
        return self in (Status.ARRIVING, Status.DELETED)

    @classmethod
    def public(cls) -> list["Status"]:
        """Returns the states that calls show."""
        return [status for status in cls if not status.is_internal]


class UploadState(StrEnum):
    """The state of a resumable upload."""

    OPEN = "open"
    COMPLETE = "complete"
    """A job was made of it."""
    REFUSED = "refused"
    """Something in the file is wrong."""
    DELETED = "deleted"
    """Its sender deleted it."""
    ABANDONED = "abandoned"
    """It was silent for too long."""


PublicStatus = Annotated[Status, WithJsonSchema({"type": "string", "enum": [str(one) for one in Status.public()]})]
"""The status as /openapi.json describes it."""

TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.ARRIVING: frozenset({Status.QUEUED, Status.RUNNING, Status.DELETED}),  # RUNNING: a chunk was leased before
    Status.QUEUED: frozenset({Status.RUNNING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset({Status.EXPIRED, Status.QUEUED, Status.DELETED}),  # QUEUED: by `repair`
    Status.FAILED: frozenset({Status.EXPIRED, Status.QUEUED, Status.DELETED}),  # QUEUED: by `retry` or `repair`
    Status.CANCELLED: frozenset({Status.EXPIRED, Status.QUEUED, Status.DELETED}),
    Status.EXPIRED: frozenset({Status.DELETED}),
    Status.DELETED: frozenset(),
}


def markdown() -> list[str]:
    """Returns the lines of the table of states for the documentation."""
    lines = ["| state | may become | shown by calls |", "| --- | --- | --- |"]
    for status in Status:
        targets = ", ".join(f"`{target}`" for target in Status if target in TRANSITIONS[status]) or "nothing"
        lines.append(f"| `{status}` | {targets} | {'no' if status.is_internal else 'yes'} |")
    return lines
