"""The address of Redis, as `ROWCAST_REDIS_URL` gives it. Nothing here connects.

`redis://USER:PASSWORD@HOST:PORT/NUMBER` names a server, `rediss://` one with TLS, and `unix:///PATH` a socket.
`redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/NUMBER?master=NAME` names Sentinels, which know the primary; with
`rediss+sentinel://`, the Sentinels and the servers use TLS.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

SCHEMES = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel")

SENTINEL_PORT = 26379

FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
"""Options that name a file: of the CA, of the client's certificate and of its key."""

_TLS = (*FILES, "ssl_check_hostname", "ssl_cert_reqs", "ssl_ca_path", "ssl_min_version", "ssl_ciphers", "ssl_password")
_SENTINEL = ("master", "sentinel_username", "sentinel_password")
_SOCKET = ("db", "username", "password")

TAKES_SERVER = "takes redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER], with / ? # @ in a password as %XX"
TAKES_SENTINELS = "takes redis+sentinel://[USER:PASSWORD@]HOST[:PORT],HOST[:PORT],…/NUMBER?master=NAME"


class BadRedisUrl(ValueError):
    """The address cannot be used. Its text says what it takes, and repeats no secret."""


@dataclass(frozen=True)
class RedisUrl:
    """The parts of an address that redis-py does not read itself."""

    #: The address in a form that redis-py reads: of the server, or without a host if there are Sentinels.
    server: str
    #: Host and port of each Sentinel; empty if the address names the server itself.
    sentinels: tuple[tuple[str, int], ...]
    #: The name under which the Sentinels know the primary; empty without Sentinels.
    master: str
    #: `username` and `password` for the Sentinels; empty if they need none.
    sentinel_login: Mapping[str, str]

    @property
    def shown(self) -> str:
        """The server, or the name of the primary, as a URL for the log of Celery. It has no password and no options."""
        parts = urlsplit(self.server)
        if self.sentinels:
            return f"redis://{self.master}{parts.path}"
        return f"redis://{parts.netloc.rpartition('@')[2] or 'localhost'}{parts.path if parts.scheme != 'unix' else ''}"

    @property
    def has_tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.server.startswith("rediss://")


def read_redis_url(url: str) -> RedisUrl:
    """Takes an address apart.

    Raises:
        BadRedisUrl: it is malformed, has an unknown option, or names a file that cannot be read.
    """
    parts = _split(url)
    try:
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError:
        raise BadRedisUrl(TAKES_SERVER) from None
    has_sentinels = parts.scheme.endswith("+sentinel")
    _check_options(options, parts.scheme, has_sentinels)
    if not has_sentinels:
        return RedisUrl(url, (), "", {})
    login, _, hosts = parts.netloc.rpartition("@")
    sentinels = tuple(_host_and_port(one) for one in hosts.split(","))
    if not options.get("master"):
        raise BadRedisUrl(f"{TAKES_SENTINELS}; master is missing, the name of the primary in sentinel.conf")
    known = {name: options.pop(name, "") for name in _SENTINEL}
    scheme = parts.scheme.removesuffix("+sentinel")
    query = f"?{urlencode(options)}" if options else ""
    server = f"{scheme}://{login}@{parts.path}{query}" if login else f"{scheme}://{parts.path}{query}"
    sentinel_login = {
        name.removeprefix("sentinel_"): value for name, value in known.items() if value and name != "master"
    }
    return RedisUrl(server, sentinels, known["master"], sentinel_login)


def _split(url: str) -> SplitResult:
    scheme = url.partition("://")[0]
    if scheme not in SCHEMES or "://" not in url:
        names = ", ".join(f"{name}://" for name in SCHEMES)
        raise BadRedisUrl(f"takes a URL that begins with {names}, for example redis://HOST:6379/0")
    try:
        parts = urlsplit(url)
        if not scheme.endswith("+sentinel"):
            parts.port  # noqa: B018 - raises ValueError
    except ValueError:
        raise BadRedisUrl(TAKES_SERVER) from None
    return parts


def _host_and_port(text: str) -> tuple[str, int]:
    try:
        parts = urlsplit(f"//{text.strip()}")
        host, port = parts.hostname, parts.port or SENTINEL_PORT
    except ValueError:
        host = None
    if not host:
        raise BadRedisUrl(TAKES_SENTINELS)
    return host, port


def _check_options(options: Mapping[str, str], scheme: str, has_sentinels: bool) -> None:
    has_tls = scheme.startswith("rediss")
    for name, value in options.items():
        if name in _SENTINEL and not has_sentinels:
            raise BadRedisUrl(f"takes {name} only with redis+sentinel:// or rediss+sentinel://")
        if name in _TLS and not has_tls:
            raise BadRedisUrl(f"takes {name} only with rediss:// or rediss+sentinel://")
        if name not in (*_TLS, *_SENTINEL, *_SOCKET):
            raise BadRedisUrl(f"has an unknown option; it takes {', '.join((*_SOCKET, *_TLS, *_SENTINEL))}")
        if name in FILES and not os.access(value, os.R_OK):
            raise BadRedisUrl(f"{name} names {value}, which cannot be read")
