"""Bulk actions: cancel, retry or delete every job that a filter takes."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Literal

from typing_extensions import TypedDict

from rowcast.errors import Gone, NotFound, Unavailable, WrongState
from rowcast.jobs.actions.jobs import Jobs
from rowcast.jobs.job import Job
from rowcast.jobs.job_filter import JobFilter
from rowcast.jobs.public_job import Time, timestamp
from rowcast.jobs.states import Status
from rowcast.logs import logger

Action = Literal["cancel", "retry", "delete"]
ACTIONS: tuple[Action, ...] = ("cancel", "retry", "delete")

_EVENTS: dict[Action, str] = {"cancel": "job_cancelled", "retry": "job_retried", "delete": "job_deleted"}
"""What is logged of each job, as by the call that does it to one job."""

ACT_SECONDS = 20.0
"""After this time it stops, so that the response comes before a proxy gives up. Call again then."""

_PAGE = 200


class BulkOutcome(TypedDict):
    """What a bulk action did, or would do."""

    action: Action
    dry_run: bool
    #: Jobs that the filter takes and that the action can be done to.
    matched: int
    #: Jobs that it was done to.
    acted: int
    #: Jobs that had changed in the meantime, so that it could not be done to them.
    failed: int
    #: Only jobs that were made before this time were looked at. As `until` of the filter, it leaves later ones out of
    #: the next call too.
    until: Time


def act(jobs: Jobs, action: Action, taken: JobFilter, owner: str | None, *, dry_run: bool) -> BulkOutcome:
    """Acts on the jobs of `owner` that `taken` takes, from the newest to the oldest; None means every owner.

    With `dry_run` it only counts them. Jobs that are made from now on are left out. It stops after `ACT_SECONDS`, or if
    it cannot go on after it has acted on some: `acted` and `failed` are then fewer than `matched`.

    Raises:
        Unavailable: Redis or the store cannot be reached. QueueFull: there is no room for a retry.
    """
    now_ms = time.time_ns() // 1_000_000
    until_ms = now_ms if taken.until_ms is None else min(now_ms, taken.until_ms)
    outcome: BulkOutcome = {
        "action": action,
        "dry_run": dry_run,
        "matched": 0,
        "acted": 0,
        "failed": 0,
        "until": timestamp(until_ms),
    }
    calls: dict[Action, Callable[[str, str | None], object]] = {
        "cancel": jobs.cancel,
        "retry": jobs.retry,
        "delete": jobs.delete,
    }
    deadline = time.monotonic() + ACT_SECONDS
    for job in _matching(jobs, action, replace(taken, until_ms=until_ms), owner):
        outcome["matched"] += 1
        if dry_run:
            continue
        if time.monotonic() > deadline:
            break
        try:
            calls[action](job.id, owner)
            outcome["acted"] += 1
            logger("gateway").info(_EVENTS[action], job=job.id)
        except (WrongState, Gone, NotFound):
            outcome["failed"] += 1
        except Unavailable:
            if not outcome["acted"]:
                raise
            break
    return outcome


def _matching(jobs: Jobs, action: Action, taken: JobFilter, owner: str | None) -> Iterator[Job]:
    cursor: str | None = None
    while True:
        page, cursor = jobs.page(_PAGE, cursor, taken, owner)
        yield from (job for job in page if _can(action, job))
        if cursor is None:
            return


def _can(action: Action, job: Job) -> bool:
    """Returns whether the action may be done to a job in this state."""
    if action == "cancel":
        return not job.status.is_terminal
    if action == "retry":
        return not job.is_single and job.status in (Status.FAILED, Status.CANCELLED)
    return True
