"""A job's record when it was last read: what `Job` and `AsyncJob` have in common."""

from dataclasses import dataclass
from typing import Any

from rowcast.client.errors import Gone, JobCancelled, JobFailed

_LIVE = ("queued", "running")


@dataclass(frozen=True)
class RowError:
    """A row that could not be predicted.

    `column` and `value` are empty if the fault concerns the whole row, for example if it has too few fields.
    """

    #: Number of the row; data rows count from 1.
    row: int
    #: Name of the column at fault.
    column: str
    #: Text of the cell, at most 200 characters.
    value: str
    #: What is wrong, for example `not a number`.
    message: str


class JobRecord:
    """The record of a job, in `raw`, as last read from the service."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self.raw = raw

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def id(self) -> str:
        """The job's id."""
        return str(self.raw["id"])

    @property
    def status(self) -> str:
        """`queued`, `running`, `succeeded`, `failed`, `cancelled` or `expired`."""
        return str(self.raw["status"])

    @property
    def progress(self) -> dict[str, Any]:
        """Its numbers: `rows_total`, `rows_done`, `rows_failed`, `fraction`, `rows_per_second`, `eta_seconds`."""
        return dict(self.raw.get("progress") or {})

    @property
    def has_ended(self) -> bool:
        """Whether the job has succeeded, failed, expired or been cancelled."""
        return self.status not in _LIVE

    def check(self) -> None:
        """Raises the error of a job that ended without a result, as `wait` does; reads only the last record."""
        problem = self.raw.get("error") or {}
        if self.status == "failed":
            detail = problem.get("detail") or problem.get("title") or "no reason was given"
            raise JobFailed(self, f"Job {self.id} failed: {detail}", problem)
        if self.status == "cancelled":
            raise JobCancelled(self, f"Job {self.id} was cancelled.", problem)
        if self.status == "expired":
            raise Gone(f"The files of job {self.id} have expired.", {"status": 410})
