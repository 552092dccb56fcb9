"""The connection to Redis: short timeouts, so that nobody hangs where it is away; one error for its ways to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from rowcast.errors import RedisFull, RedisRefuses, RedisUnreachable

TIMEOUT_SECONDS = 2.0
"""How long one command may take. Every script is safe to repeat, so a lost answer costs one retry, not a job."""


MAX_CONNECTIONS = 32

_MIB = 1024**2

TURN_SECONDS = 4.0
"""How long one waits for its turn: with a command's timeout it stays below the five seconds in which we answer."""

Connection = Any
"""A redis-py client. Its stubs promise `bytes | str` for every reply; ours are bytes, as nothing is decoded."""


def connect(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Connection:
    """A client with a pool; connects at the first command.

    The pool is bounded: a thousand callers that are woken at once take turns, and do not open a thousand connections.
    """
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=TURN_SECONDS,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        protocol=2,
    )
    return Redis(connection_pool=pool)


@dataclass(frozen=True)
class Memory:
    """How much memory Redis uses, in bytes."""

    #: What counts against the limit.
    used_bytes: int
    #: `maxmemory`; 0 is no limit.
    limit_bytes: int

    @classmethod
    def of(cls, redis: Connection) -> "Memory":
        """Asks Redis, which answers this also if it is full."""
        known = redis.info("memory")
        return cls(int(known["used_memory"]) - int(known.get("mem_not_counted_for_evict", 0)), int(known["maxmemory"]))

    @property
    def is_full(self) -> bool:
        """Whether Redis refuses to take more."""
        return 0 < self.limit_bytes <= self.used_bytes

    def __str__(self) -> str:
        return f"{self.used_bytes / _MIB:.1f} MiB of memory used, {self.limit_bytes / _MIB:.1f} MiB allowed (maxmemory)"


def redis_full(memory: Memory | None) -> RedisFull:
    """The error of a Redis that takes no more; with figures if they are known."""
    figures = f": {memory}" if memory else ""
    return RedisFull(f"Redis is out of memory{figures}. Raise its maxmemory, delete jobs, or lower ROWCAST_RETENTION.")


@contextmanager
def redis_errors(redis: Connection | None = None) -> Iterator[None]:
    """Turns what redis-py raises into `Unavailable`; a fault of ours in a script stays what it is.

    With `redis`, the error of a full one says how much memory it has.
    """
    try:
        yield
    except OutOfMemoryError as error:
        raise redis_full(_memory(redis)) from error
    except (ReadOnlyError, MasterDownError) as error:
        raise _refuses(error) from error
    except ResponseError as error:
        if str(error).startswith("OOM"):  # within a script
            raise redis_full(_memory(redis)) from error
        if str(error).startswith(("BUSY", "MISCONF")):  # those for which redis-py has no class
            raise _refuses(error) from error
        raise
    except RedisError as error:
        raise RedisUnreachable(f"Redis cannot be reached: {error}", public="Redis cannot be reached.") from error


def _refuses(error: RedisError) -> RedisRefuses:
    return RedisRefuses(f"Redis refuses work: {error}", public="Redis refuses work.")


def _memory(redis: Connection | None) -> Memory | None:
    if redis is None:
        return None
    try:
        return Memory.of(redis)
    except RedisError:
        return None
