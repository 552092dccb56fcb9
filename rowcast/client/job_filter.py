"""Which jobs to list or to act on, and what a bulk action did."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypedDict


class JobFilter(TypedDict, total=False):
    """The jobs for which everything given is true."""

    #: The status, for example `failed`.
    status: str | None
    #: `NAME` or `NAME@VERSION`.
    model: str | None
    #: `name:value`, or `name` with any value.
    tag: str | None
    #: Only jobs that were made then or later: a time, or its text (RFC 3339). Without a time zone it is UTC.
    since: str | datetime | None
    #: Only jobs that were made before then.
    until: str | datetime | None


@dataclass(frozen=True)
class BulkOutcome:
    """What a bulk action did, or would do."""

    #: Jobs that match and that the action can be done to; if the service stopped before, those that it came to.
    matched: int
    #: Jobs that it was done to.
    acted: int
    #: Jobs that had changed in the meantime, so that it could not be done to them.
    failed: int
    #: Only jobs that were made before this time were looked at (RFC 3339). Passed to `act` as `until`, it leaves out
    #: jobs that were made after they were counted.
    until: str | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every job that matched was dealt with. It never is after a dry run."""
        return self.acted + self.failed >= self.matched

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> "BulkOutcome":
        """Returns the outcome in a response of the service."""
        return cls(int(answer["matched"]), int(answer["acted"]), int(answer["failed"]), answer.get("until"))


def filter_of(matching: Mapping[str, Any]) -> dict[str, str]:
    """Returns the filter as texts, without what is None."""
    return {
        name: value.isoformat() if isinstance(value, datetime) else str(value)
        for name, value in matching.items()
        if value is not None
    }
