"""The lines in which chunks wait for a process: each owner has one for each priority (`lua/shared/lines.lua`).

Each pool of workers has its own lines.
"""

from collections.abc import Sequence

from rowcast.jobs.option_table import OPTIONS, PRIORITIES
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key, pool_key


def chunk_line(owner: str, priority: str, pool: str = "") -> str:
    """Returns the Redis key of an owner's line of one priority."""
    if pool:
        return key("owned_chunks", f"{pool}:{priority}/{owner}")
    if not owner and priority == OPTIONS["priority"].default:
        return key("ready_chunks")
    return key("owned_chunks", f"{priority}/{owner}")


def chunk_lines(redis: RedisClient, pools: Sequence[str]) -> list[list[str]]:
    """Returns for each pool the keys of all lines in which chunks may wait: of the owners that wait for a turn."""
    with redis.pipeline(transaction=False) as pipe:
        for pool in pools:
            pipe.zrange(pool_key("owners", pool), 0, -1)
        owners = pipe.execute()
    return [
        [chunk_line(owner.decode(), priority, pool) for owner in some for priority in PRIORITIES]
        for pool, some in zip(pools, owners, strict=True)
    ]
