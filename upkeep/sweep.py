"""The sweep: removes files of jobs that expired or were deleted, and of uploads that broke off."""

from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import origins_of
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.request_files.request_files import RequestFiles
from rowcast.logs import logger

JOBS_PER_ROUND = 500
"""Largest number of jobs whose files are removed in one round, so that a round is short."""


def sweep_request_files(files: RequestFiles) -> None:
    """Lists files of requests that Redis has lost. Removes those whose time is over and which no batch needs.

    Raises:
        Unavailable: as `sweep_files`.
    """
    if found := files.list_again():
        logger("upkeep").warning("request_files_found", files=found)
    if ids := files.sweep():
        logger("upkeep").info("request_files_removed", files=len(ids))


def sweep_files(scripts: Scripts, files: Files) -> None:
    """Removes the files of the jobs that Redis lists for removal.

    Raises:
        Unavailable: Redis or the store cannot be used; the next round continues with the same job.
    """
    with redis_errors():
        ids = scripts.list_removable(JOBS_PER_ROUND)
    for id in ids:
        removed = files.delete(id)
        with redis_errors():
            scripts.redis.zrem(key("removing"), id)
        if removed:
            ((_, origin),) = origins_of(scripts.redis, [id])  # of a deleted job the record says nothing more
            logger("upkeep").info("files_removed", files=removed, **origin.fields(id))
