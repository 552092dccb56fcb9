"""The warnings of a job: what to know about its result, or why it waits."""

from typing import Literal

from typing_extensions import TypedDict

from rowcast.jobs.drift.batch_drift import DriftWarning, drift_warnings
from rowcast.jobs.job import Job
from rowcast.jobs.summary import not_finite_in


class NotFinite(TypedDict):
    """A warning: some predictions are infinite or not a number. They are not part of the summary's figures."""

    type: Literal["not-finite"]
    #: Number of such predictions.
    count: int
    #: The warning as a sentence.
    message: str


class NoWorkerOnline(TypedDict):
    """A warning: the job waits, because no worker of its pool is online."""

    type: Literal["no-worker"]
    #: The warning as a sentence.
    message: str


JobWarning = NotFinite | NoWorkerOnline | DriftWarning
"""Something to know about a job."""


def warnings_of(job: Job) -> list[JobWarning]:
    """Returns what to know about a job: why it waits, or what is unusual about its result."""
    if job.lacks_worker:
        return [{"type": "no-worker", "message": f"no worker of the pool {job.spec.pool} is online; the job waits"}]
    return [*_not_finite(job), *drift_warnings(job.drift)]


def _not_finite(job: Job) -> list[NotFinite]:
    if job.result and "warning" in job.result:
        return [{"type": "not-finite", "count": 1, "message": job.result["warning"]}]
    if not (count := not_finite_in(job.summary)):
        return []
    noun = "prediction is" if count == 1 else "predictions are"
    message = f"{count} {noun} infinite or not a number (inf, nan); the summary's figures leave them out"
    return [{"type": "not-finite", "count": count, "message": message}]
