"""The path below which a proxy serves the gateway: it stands before every `Location` and link that callers get."""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import g

from api.services import current_services
from rowcast.settings import PREFIX_PATTERN, Settings

_FORWARDED = re.compile(PREFIX_PATTERN)
_MOST_CHARACTERS = 256

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def prefix() -> str:
    """The present request's prefix: empty, or like `/rowcast`."""
    return str(g.get("prefix", current_services().settings.url_prefix))


def prefix_of(settings: Settings, address: str | None, forwarded: str | None) -> str:
    """The prefix of a request that came from `address` with this `X-Forwarded-Prefix`.

    `ROWCAST_URL_PREFIX` comes first. The header is believed from the addresses in `ROWCAST_TRUSTED_PROXIES` only, and
    only if it is a path: otherwise any caller could make our links lead elsewhere.
    """
    if settings.url_prefix:
        return settings.url_prefix
    if not forwarded or len(forwarded) > _MOST_CHARACTERS or not _is_trusted(settings, address):
        return ""
    found = forwarded.rstrip("/")
    return found if _FORWARDED.fullmatch(found) else ""


def below(settings: Settings, wsgi: Wsgi) -> Wsgi:
    """The application, also for proxies that leave `ROWCAST_URL_PREFIX` in the path."""
    if not settings.url_prefix:
        return wsgi

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if f"{path}/".startswith(f"{settings.url_prefix}/"):
            environ["PATH_INFO"] = path.removeprefix(settings.url_prefix) or "/"
        return wsgi(environ, start_response)

    return app


def _is_trusted(settings: Settings, address: str | None) -> bool:
    try:
        peer = ipaddress.ip_address(address or "")
    except ValueError:
        return False
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in network for network in settings.trusted_networks)
