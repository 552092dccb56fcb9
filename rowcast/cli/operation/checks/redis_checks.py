"""The checks of Redis: how it is set, its memory, its file and its clock."""

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from redis.exceptions import RedisError, ResponseError

from rowcast.cli.operation.checks.diagnosis import Diagnosis, State
from rowcast.jobs.records.redis_client import Memory, RedisClient, connect
from rowcast.jobs.records.redis_keys import key
from rowcast.memory import MIB
from rowcast.redis_access.connection_faults import operators_fault

_LEAST_VERSION = (6, 2)
"""`ZRANGE … BYSCORE` is as old as this."""

_FULL_SHARE = 0.8
"""From this share of `maxmemory` on, there is a warning."""

_CLOCK_SECONDS = 5.0
"""Differences of clocks up to this are normal."""

_OVERDUE_SECONDS = 15.0
"""Upkeep looks once a second. What has been due for longer has no upkeep."""

_SETTING = "Set it in redis.conf, and at once with `redis-cli CONFIG SET {} {}`."


def redis_findings(url: str) -> Iterator[Diagnosis]:
    """Yields what is known of a Redis that answers."""
    with closing(connect(url)) as redis:
        try:
            yield from _findings(redis)
        except RedisError as error:
            fault = operators_fault(error)
            reason, remedy = (
                (fault, "Correct it there.") if fault else (f"Redis does not answer: {error}", "Look at its log.")
            )
            yield Diagnosis("fault", "redis", reason, remedy)


def _findings(redis: RedisClient) -> Iterator[Diagnosis]:
    server = redis.info("server")
    yield _version(server)
    yield from _kind(redis)
    yield from _memory(redis)
    yield from _persistence(redis)
    yield _clock(redis)
    yield from _upkeep(redis)


def _version(server: Mapping[str, Any]) -> Diagnosis:
    valkey, version = server.get("valkey_version"), str(server.get("redis_version", "0"))
    shown = f"Valkey {valkey}" if valkey else f"Redis {version}"
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < _LEAST_VERSION:
        return Diagnosis("fault", "redis", f"{shown} is too old.", "Install Redis 6.2 or newer, or Valkey.")
    return Diagnosis("ok", "redis", f"{shown} answers.")


def _kind(redis: RedisClient) -> Iterator[Diagnosis]:
    if redis.info("cluster").get("cluster_enabled"):
        remedy = "Use one server, with a replica and Sentinels if it must not fail."
        yield Diagnosis("fault", "redis", "It is a Redis Cluster, which Rowcast does not support.", remedy)
    if (role := redis.info("replication").get("role")) != "master":
        yield Diagnosis("fault", "redis", f"It is a {role}, which takes no writes.", "Name the primary.")


def _memory(redis: RedisClient) -> Iterator[Diagnosis]:
    memory, policy = Memory.of(redis), redis.info("memory").get("maxmemory_policy", "unknown")
    if policy != "noeviction":
        state: State = "fault" if memory.limit_bytes else "warning"
        message = f"maxmemory-policy is {policy}: a full Redis deletes records of jobs."
        yield Diagnosis(state, "redis", message, _SETTING.format("maxmemory-policy", "noeviction"))
    if memory.is_full:
        return  # readiness has said so
    if memory.limit_bytes and memory.used_bytes >= _FULL_SHARE * memory.limit_bytes:
        remedy = "Raise maxmemory, delete jobs, or lower ROWCAST_RETENTION."
        yield Diagnosis("warning", "redis", f"Its memory is nearly full: {memory}.", remedy)
    elif memory.limit_bytes:
        yield Diagnosis("ok", "redis", f"{memory}.")
    else:
        yield Diagnosis("ok", "redis", f"{memory.used_bytes / MIB:.1f} MiB of memory used, no limit (maxmemory).")


def _persistence(redis: RedisClient) -> Iterator[Diagnosis]:
    known = redis.info("persistence")
    if not known.get("aof_enabled"):
        remedy = _SETTING.format("appendonly", "yes")
        yield Diagnosis("fault", "redis", "appendonly is off: if Redis ends, accepted jobs are lost.", remedy)
        return
    try:
        sync = redis.config_get("appendfsync").get("appendfsync")
    except ResponseError:
        yield Diagnosis("skipped", "redis", "appendfsync is not known, because Redis does not allow CONFIG.")
        sync = "always"
    if sync != "always":
        message = f"appendfsync is {sync}: a power cut loses jobs that were accepted in the last moment."
        yield Diagnosis("warning", "redis", message, _SETTING.format("appendfsync", "always"))
    names = ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
    failed = [name for name in names if known.get(name, "ok") != "ok"]
    for name in failed:
        remedy = "Look at Redis's log, at the space of its disk and at the rights of its folder."
        yield Diagnosis("fault", "redis", f"Redis could not write its file ({name}).", remedy)
    if not failed:
        yield Diagnosis("ok", "redis", "Its file is written.")


def _clock(redis: RedisClient) -> Diagnosis:
    before = time.time()
    seconds, microseconds = redis.time()
    difference = seconds + microseconds / 1_000_000 - (before + time.time()) / 2
    if abs(difference) <= _CLOCK_SECONDS:
        return Diagnosis("ok", "redis", "Its clock is that of this machine.")
    ahead = "ahead of" if difference > 0 else "behind"
    message = f"Its clock is {abs(difference):,.0f} s {ahead} the clock of this machine."
    remedy = "Let NTP set both. Leases keep to Redis's clock; webhooks and the times in messages are affected."
    return Diagnosis("warning", "redis", message, remedy)


def _upkeep(redis: RedisClient) -> Iterator[Diagnosis]:
    seconds, _ = redis.time()
    overdue = redis.zcount(key("due"), "-inf", (seconds - _OVERDUE_SECONDS) * 1000)
    if overdue or not redis.get(key("indexed")):
        remedy = "Start it: python -m upkeep, or docker compose up -d upkeep."
        yield Diagnosis("fault", "upkeep", "Upkeep does not run: lost work is not given back, nothing expires.", remedy)
    else:
        yield Diagnosis("ok", "upkeep", "Nothing waits for upkeep.")
    paused = ", ".join(sorted(name.decode() for name in redis.hgetall(key("paused"))))
    if paused:
        yield Diagnosis("warning", "workers", f"Paused: {paused}.", "rowcast resume")
