"""The client of Redis: short timeouts, so that no program hangs if Redis is away, and one error for every failure."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from rowcast.errors import RedisFull, RedisRefuses, RedisUnreachable, UnusableRedis
from rowcast.memory import MIB
from rowcast.redis_access.connection_faults import operators_fault
from rowcast.redis_access.connection_pools import open_pool

IS_CLUSTER = (
    "ROWCAST_REDIS_URL names a Redis Cluster, which Rowcast does not support: its scripts need all keys in one place. "
    "Use one server, with a replica and Sentinels if it must not fail."
)

TIMEOUT_SECONDS = 2.0
"""How long one command may take. Every script may be repeated, so a lost answer costs a retry and not a job."""


class RedisClient(Protocol):
    """The commands of redis-py's client that we use.

    redis-py's own types say `bytes | str` for every reply. Our client decodes nothing, so replies are bytes.
    """

    connection_pool: Any

    def ping(self) -> bool: ...
    def time(self) -> tuple[int, int]: ...
    def info(self, section: str) -> dict[str, Any]: ...
    def config_get(self, pattern: str) -> dict[str, str]: ...
    def client_list(self, *, client_id: list[str] = ...) -> list[dict[str, str]]: ...
    def close(self) -> None: ...
    def pipeline(self, transaction: bool = True) -> Any: ...
    def pubsub(self, **options: Any) -> Any: ...
    def register_script(self, script: str) -> Any: ...
    def scan_iter(self, match: str, count: int | None = None, _type: str | None = None) -> Iterator[bytes]: ...
    def memory_usage(self, key: bytes | str) -> int: ...

    def get(self, name: str) -> bytes | None: ...
    def set(self, name: str, value: bytes | str, *, ex: int | None = None, xx: bool = False) -> bool | None: ...
    def getrange(self, name: str, start: int, end: int) -> bytes: ...
    def delete(self, *names: str) -> int: ...
    def expire(self, name: str, time: int) -> bool: ...

    def hget(self, name: str, field: str) -> bytes | None: ...
    def hgetall(self, name: str) -> dict[bytes, bytes]: ...
    def hkeys(self, name: str) -> list[bytes]: ...
    def hmget(self, name: str, fields: list[str]) -> list[bytes | None]: ...
    def hset(self, name: str, field: str, value: str) -> int: ...
    def hdel(self, name: str, *fields: str) -> int: ...
    def hincrby(self, name: str, field: str, amount: int) -> int: ...

    def llen(self, name: str) -> int: ...
    def lrange(self, name: str, start: int, end: int) -> list[bytes]: ...
    def lpop(self, name: str) -> bytes | None: ...
    def blpop(self, name: str, timeout: float) -> tuple[bytes, bytes] | None: ...

    def zadd(self, name: str, scores: Mapping[str, float]) -> int: ...
    def zrem(self, name: str, *members: bytes | str) -> int: ...
    def zmscore(self, key: str, members: list[str]) -> list[float | None]: ...
    def zcount(self, name: str, least: float | str, most: float | str) -> int: ...
    def zcard(self, name: str) -> int: ...
    def zrange(self, name: str, start: float | str, end: float | str, *, byscore: bool = False) -> list[bytes]: ...
    def zrangebyscore(
        self, name: str, least: float | str, most: float | str, *, start: int, num: int
    ) -> list[bytes]: ...
    def zrevrangebylex(self, name: str, most: str, least: str, start: int, num: int) -> list[bytes]: ...
    def zremrangebyscore(self, name: str, least: float | str, most: float | str) -> int: ...


def connect(
    url: str, timeout_seconds: float = TIMEOUT_SECONDS, on_connect: Callable[[Any], None] | None = None
) -> RedisClient:
    """Returns a client with a pool of connections. It connects at the first command.

    `on_connect` is called with each connection (of redis-py) that is opened, before it is used.
    """
    pool = open_pool(
        url,
        on_connect=on_connect,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        protocol=2,
    )
    return cast(RedisClient, Redis(connection_pool=pool))


@dataclass(frozen=True)
class Memory:
    """How much memory Redis uses, in bytes."""

    #: Memory that counts against the limit.
    used_bytes: int
    #: `maxmemory`; 0 if there is no limit.
    limit_bytes: int

    @classmethod
    def of(cls, redis: RedisClient) -> "Memory":
        """Asks Redis, which answers this even if its memory is full."""
        known = redis.info("memory")
        return cls(int(known["used_memory"]) - int(known.get("mem_not_counted_for_evict", 0)), int(known["maxmemory"]))

    @property
    def is_full(self) -> bool:
        """Whether Redis refuses to store more."""
        return 0 < self.limit_bytes <= self.used_bytes

    def __str__(self) -> str:
        return f"{self.used_bytes / MIB:.1f} MiB of memory used, {self.limit_bytes / MIB:.1f} MiB allowed (maxmemory)"


def redis_full(memory: Memory | None) -> RedisFull:
    """Returns the error for a Redis with full memory, with figures if they are known."""
    figures = f": {memory}" if memory else ""
    return RedisFull(f"Redis is out of memory{figures}. Raise its maxmemory, delete jobs, or lower ROWCAST_RETENTION.")


@contextmanager
def redis_errors(redis: RedisClient | None = None) -> Iterator[None]:
    """Turns what redis-py raises into `Unavailable`. An error in one of our scripts is raised as it is.

    With `redis`, the error of a Redis with full memory says how much memory it has.
    """
    try:
        yield
    except OutOfMemoryError as error:
        raise redis_full(_memory(redis)) from error
    except (ReadOnlyError, MasterDownError) as error:
        raise _refuses(error) from error
    except ResponseError as error:
        if fault := operators_fault(error):
            raise RedisRefuses(fault, public="Redis refuses work.") from error
        if str(error).startswith("OOM"):  # raised within a script
            raise redis_full(_memory(redis)) from error
        if str(error).startswith(("BUSY", "MISCONF", "NOREPLICAS")):  # redis-py has no class for these
            raise _refuses(error) from error
        raise
    except RedisError as error:
        reason = operators_fault(error) or error
        raise RedisUnreachable(f"Redis cannot be reached: {reason}", public="Redis cannot be reached.") from error


def refuse_unusable(url: str) -> None:
    """Looks once whether the setting fits Redis, before a program starts. If Redis is away, the program may start.

    Raises:
        UnusableRedis: it is a Redis Cluster, or does not accept the connection. Says what to correct.
    """
    with closing(connect(url)) as redis:
        try:
            is_cluster = bool(redis.info("cluster").get("cluster_enabled"))
        except RedisError as error:
            if fault := operators_fault(error):
                raise UnusableRedis(fault) from error
            return
    if is_cluster:
        raise UnusableRedis(IS_CLUSTER)


def _refuses(error: RedisError) -> RedisRefuses:
    return RedisRefuses(f"Redis refuses work: {error}", public="Redis refuses work.")


def _memory(redis: RedisClient | None) -> Memory | None:
    if redis is None:
        return None
    try:
        return Memory.of(redis)
    except RedisError:
        return None
