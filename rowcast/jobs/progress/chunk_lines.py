"""The lines in which chunks wait for a process: each owner has one for each priority (`lua/shared/lines.lua`)."""

from rowcast.jobs.option_table import OPTIONS, PRIORITIES
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key


def chunk_line(owner: str, priority: str) -> str:
    """Returns the Redis key of an owner's line of one priority."""
    if not owner and priority == OPTIONS["priority"].default:
        return key("ready_chunks")
    return key("owned_chunks", f"{priority}/{owner}")


def chunk_lines(redis: RedisClient) -> list[str]:
    """Returns the keys of all lines in which chunks may wait: those of the owners that wait for their turn."""
    owners = [owner.decode() for owner in redis.zrange(key("ready_owners"), 0, -1)]
    return [chunk_line(owner, priority) for owner in owners for priority in PRIORITIES]
