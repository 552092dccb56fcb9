"""The limits of live jobs: how many there may be, and the error if there are as many."""

from rowcast.errors import QueueFull
from rowcast.jobs.records.scripts.script_results import Full, Limits
from rowcast.settings import Settings

_RETRY_AFTER_SECONDS = 10


def limits_of(settings: Settings, owner: str) -> Limits:
    """Returns how many jobs may be live. Without API keys, all jobs have the owner `""`."""
    return Limits(settings.max_jobs, settings.max_jobs_per_key if owner else settings.max_jobs)


def queue_full(full: Full, settings: Settings) -> QueueFull:
    """Returns the error of a job for which there is no room."""
    if full.limit == "owner":
        most, name = settings.max_jobs_per_key, "ROWCAST_MAX_JOBS_PER_KEY"
        return QueueFull(f"This API key has {most} jobs that have not ended yet ({name}).", _RETRY_AFTER_SECONDS)
    most, name = settings.max_jobs, "ROWCAST_MAX_JOBS"
    return QueueFull(f"There are {most} jobs that have not ended yet ({name}).", _RETRY_AFTER_SECONDS)
