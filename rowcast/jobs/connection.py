"""The connection to Redis: short timeouts, so that nobody hangs where it is away; one error for its ways to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from rowcast.errors import Unavailable

TIMEOUT_SECONDS = 2.0
"""How long one command may take. Every script is safe to repeat, so a lost answer costs one retry, not a job."""


Connection = Any
"""A redis-py client. Its stubs promise `bytes | str` for every reply; ours are bytes, as nothing is decoded."""


def connect(url: str, timeout_seconds: float = TIMEOUT_SECONDS) -> Connection:
    """A client with a pool; connects at the first command."""
    return Redis.from_url(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        socket_keepalive=True,
        health_check_interval=15,
        retry=Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,)),
        protocol=2,
    )


@contextmanager
def speaking() -> Iterator[None]:
    """Turns what redis-py raises into `Unavailable`; a fault of ours in a script stays what it is."""
    try:
        yield
    except (OutOfMemoryError, ReadOnlyError, MasterDownError) as error:
        raise Unavailable(f"Redis refuses work: {error}") from error
    except ResponseError as error:
        if str(error).startswith(("BUSY", "MISCONF")):  # those for which redis-py has no class
            raise Unavailable(f"Redis refuses work: {error}") from error
        raise
    except RedisError as error:
        raise Unavailable(f"Redis is away: {error}") from error
