"""The path under which a proxy serves the gateway, for example `/rowcast`.

Every `Location` and every link in a response starts with it.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Any

from flask import g

from api.services import current_services
from rowcast.settings import PREFIX_PATTERN, Settings

_FORWARDED = re.compile(PREFIX_PATTERN)
_MAX_CHARACTERS = 256

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def prefix() -> str:
    """Returns the prefix of the present request: an empty text, or for example `/rowcast`."""
    return str(g.get("prefix", current_services().settings.url_prefix))


def prefix_of(settings: Settings, address: str | None, forwarded: str | None) -> str:
    """Returns the prefix of a request from `address` whose header `X-Forwarded-Prefix` is `forwarded`.

    `ROWCAST_URL_PREFIX` takes precedence. The header is only used if it is a path and comes from an address in
    `ROWCAST_TRUSTED_PROXIES`. Otherwise any caller could make our links lead elsewhere.
    """
    if settings.url_prefix:
        return settings.url_prefix
    if not forwarded or len(forwarded) > _MAX_CHARACTERS or not _is_trusted(settings, address):
        return ""
    found = forwarded.rstrip("/")
    return found if _FORWARDED.fullmatch(found) else ""


def strip_url_prefix(settings: Settings, wsgi: Wsgi) -> Wsgi:
    """Returns an application that removes `ROWCAST_URL_PREFIX` from paths, for proxies that leave it there."""
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
