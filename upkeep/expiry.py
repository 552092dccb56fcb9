"""Expiry: jobs whose retention time is over, and jobs that have not ended in the time that they were allowed."""

from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import origins_of
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.logs import logger

JOBS_PER_ROUND = 500
"""Largest number of jobs that expire in one round, so that a round is short."""


def expire_jobs(scripts: Scripts, files: Files) -> None:
    """Marks jobs as expired. Their files are removed by the sweep.

    Raises:
        Unavailable: Redis or the store cannot be used; the next round continues.
    """
    with redis_errors():
        seconds, _ = scripts.redis.time()
        due = scripts.redis.zrangebyscore(key("expiring"), "-inf", int(seconds) * 1000, start=0, num=JOBS_PER_ROUND)
    for id, origin in origins_of(scripts.redis, (one.decode() for one in due)):
        files.delete_manifest(id)
        with redis_errors():
            scripts.expire(id)
        logger("upkeep").info("job_expired", **origin.fields(id))


def fail_late_jobs(scripts: Scripts) -> None:
    """Fails jobs that have not ended in the time that their option `expires_in` allows.

    Raises:
        Unavailable: Redis cannot be used; the next round continues.
    """
    for id, origin in origins_of(scripts.redis, scripts.fail_late(JOBS_PER_ROUND)):
        logger("upkeep").warning("job_too_late", **origin.fields(id))
