"""The limits of live jobs: how many there may be, and the error if there are as many."""

from rowcast.errors import QueueFull
from rowcast.jobs.records.scripts.script_results import Full, Limits
from rowcast.settings import Settings
from rowcast.wording.quantity import counted

_RETRY_AFTER_SECONDS = 10


def limits_of(settings: Settings, owner: str) -> Limits:
    """Returns how many jobs may be live. Without API keys, all jobs have the owner `""`."""
    return Limits(settings.max_jobs, settings.max_jobs_per_key if owner else settings.max_jobs)


def queue_full(full: Full, settings: Settings) -> QueueFull:
    """Returns the error of a job for which there is no room."""
    if full.limit == "owner":
        caller, most, name = "This API key", settings.max_jobs_per_key, "ROWCAST_MAX_JOBS_PER_KEY"
    else:
        caller, most, name = "The service", settings.max_jobs, "ROWCAST_MAX_JOBS"
    has = counted(most, "unfinished job")
    return QueueFull(f"{caller} has {has}, the most that {name} allows.", _RETRY_AFTER_SECONDS)
