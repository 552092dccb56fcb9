"""The connection to Redis: short timeouts, so that nobody hangs where it is away; one error for its ways to fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import MasterDownError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError
from redis.retry import Retry

from rowcast.errors import Unavailable

TIMEOUT_SECONDS = 2.0
"""How long one command may take. Every script is safe to repeat, so a lost answer costs one retry, not a job."""


MAX_CONNECTIONS = 32

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


@contextmanager
def speaking() -> Iterator[None]:
    """Turns what redis-py raises into `Unavailable`; a fault of ours in a script stays what it is."""
    try:
        yield
    except (OutOfMemoryError, ReadOnlyError, MasterDownError) as error:
        raise Unavailable(f"Redis refuses work: {error}", public="Redis refuses work.") from error
    except ResponseError as error:
        if str(error).startswith(("BUSY", "MISCONF")):  # those for which redis-py has no class
            raise Unavailable(f"Redis refuses work: {error}", public="Redis refuses work.") from error
        raise
    except RedisError as error:
        raise Unavailable(f"Redis is away: {error}", public="Redis is away.") from error
