"""Pools of connections to Redis: to one server, or to the primary that the Sentinels name."""

from collections.abc import Callable
from typing import Any

from redis import BlockingConnectionPool, Connection, SSLConnection, UnixDomainSocketConnection
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.retry import Retry
from redis.sentinel import Sentinel, SentinelConnectionPool, SentinelManagedConnection

from rowcast.redis_access.redis_url import RedisUrl, read_redis_url

MAX_CONNECTIONS = 32
"""Connections of one pool at most."""

TURN_SECONDS = 4.0
"""How long a caller waits for a free connection.

With a command's timeout it stays close to the five seconds within which the gateway answers.
"""

SENTINEL_TIMEOUT_SECONDS = 0.5
"""How long one Sentinel may take. If two of three are away, the third still answers before a command times out."""

Opened = Callable[[Any], None]


class _SecureManagedConnection(SentinelManagedConnection, SSLConnection):
    """A connection with TLS to the primary that the Sentinels name."""


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """A bounded pool whose callers take turns. Each connection that it opens leads to the present primary."""


def open_pool(
    url: str,
    *,
    on_connect: Opened | None = None,
    on_disconnect: Opened | None = None,
    **options: Any,
) -> BlockingConnectionPool:
    """Returns a pool of connections of redis-py. It connects at the first command.

    The pool is bounded: a thousand callers that are woken at once take turns, and do not open a thousand connections.
    `on_connect` is called with each connection that is opened, before it is used, and `on_disconnect` with each that
    is closed. `options` are those of redis-py's connections.
    """
    address = read_redis_url(url)
    known = parse_url(address.server)  # type: ignore[no-untyped-call]  # nor are the others here typed
    kind = known.pop("connection_class", Connection)
    if address.sentinels:
        kind = _SecureManagedConnection if address.has_tls else SentinelManagedConnection
    options |= known
    options |= {
        "connection_class": _reporting(kind, on_disconnect) if on_disconnect else kind,
        "max_connections": MAX_CONNECTIONS,
        "timeout": TURN_SECONDS,
        "driver_info": None,  # the name of the library would cost two commands, which the user of Redis may not have
        "redis_connect_func": _preparation(on_connect, checks_role=bool(address.sentinels)),
    }
    if issubclass(kind, UnixDomainSocketConnection):
        for name in ("socket_connect_timeout", "socket_keepalive"):
            options.pop(name, None)
    if not address.sentinels:
        return BlockingConnectionPool(**options)  # type: ignore[no-untyped-call]
    return _SentinelPool(address.master, _sentinels(address, options), **options)  # type: ignore[no-untyped-call]


def _sentinels(address: RedisUrl, options: dict[str, Any]) -> Sentinel:
    """Returns the client of the Sentinels. It asks one after the other, and first the one that has answered before."""
    tls = {name: value for name, value in options.items() if name.startswith("ssl_")}
    return Sentinel(  # type: ignore[no-untyped-call]
        address.sentinels,
        sentinel_kwargs={
            "socket_timeout": SENTINEL_TIMEOUT_SECONDS,
            "socket_connect_timeout": SENTINEL_TIMEOUT_SECONDS,
            # By default redis-py tries ten times, with pauses, before it asks the next Sentinel.
            "retry": Retry(NoBackoff(), 0),
            "ssl": address.has_tls,
            **tls,
            **address.sentinel_login,
        },
    )


def _preparation(on_connect: Opened | None, *, checks_role: bool) -> Opened:
    """Returns what is done with a connection of redis-py when it is opened."""

    def prepare(connection: Any) -> None:
        connection.on_connect()
        if checks_role:
            _check_role(connection)
        if on_connect:
            on_connect(connection)

    return prepare


def _check_role(connection: Any) -> None:
    """Refuses a server that is a replica: a Sentinel that was cut off may still name the primary from before."""
    connection.send_command("ROLE", check_health=False)
    role = connection.read_response()[0]
    if role != b"master":
        raise RedisConnectionError(f"{connection.host}:{connection.port} does not take writes: it is a replica")


def _reporting(kind: type[Any], on_disconnect: Opened) -> type[Any]:
    """Returns the class of connections `kind` that calls `on_disconnect`."""

    class Reporting(kind):  # type: ignore[misc]  # the class is chosen at run time
        def disconnect(self, *arguments: Any, **options: Any) -> None:
            super().disconnect(*arguments, **options)
            on_disconnect(self)

    return Reporting
