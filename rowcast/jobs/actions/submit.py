"""Job ids, and the outcome of a submission. `Jobs` in `jobs.py` does the submitting."""

import re
from dataclasses import dataclass

import uuid_utils

from rowcast.jobs.new_job import NewJob

_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")


@dataclass(frozen=True)
class Submitted:
    """The outcome of a submission."""

    #: The job's id. If the request is a repetition, that of the job which the first request made.
    id: str
    #: Whether an earlier request made the job: one with the same Idempotency-Key, or with the same result.
    replayed: bool
    #: The job as this request describes it. It was only made if `replayed` is false.
    new: NewJob
    #: Whether the earlier request had the same result and another Idempotency-Key, or none.
    reused: bool = False


def new_id() -> str:
    """Returns a new UUIDv7 as text, for example `01928c5e-7d3a-7c41-9b1e-0a4f5d2c6b7e`. Ids sort by time."""
    return str(uuid_utils.uuid7())


def is_job_id(text: str) -> bool:
    """Returns whether `text` is a UUIDv7 as `new_id` writes it. No other text is a job id or part of a Redis key."""
    return bool(_ID.fullmatch(text))
