"""The states of a job and the one table of what may follow what. Redis' scripts are given this table, too."""

from enum import StrEnum


class Status(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"

    @property
    def is_terminal(self) -> bool:
        """Whether the job has ended: no worker may add to it any more."""
        return self not in (Status.QUEUED, Status.RUNNING)


TRANSITIONS: dict[Status, frozenset[Status]] = {
    Status.QUEUED: frozenset({Status.RUNNING, Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.RUNNING: frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}),
    Status.SUCCEEDED: frozenset({Status.EXPIRED}),
    Status.FAILED: frozenset({Status.EXPIRED, Status.QUEUED}),  # QUEUED: by `retry`
    Status.CANCELLED: frozenset({Status.EXPIRED, Status.QUEUED}),
    Status.EXPIRED: frozenset(),
}
