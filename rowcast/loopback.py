"""Loopback: which hosts only this machine can reach."""

import ipaddress
from urllib.parse import urlsplit

NEEDS_KEYS = (
    "Without API keys the gateway may only listen on a loopback address, and {} is not one. "
    "Set ROWCAST_API_KEYS_FILE, or ROWCAST_OPEN=true to allow access without keys."
)
"""The message if a gateway without keys is to listen on another host."""


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach the host, for example `127.0.0.1`, `::1` or `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_same_address(url: str, other: str) -> bool:
    """Returns whether two URLs lead to the same service: the same text, or loopback with the same port."""
    one, two = urlsplit(url), urlsplit(other)
    both = is_loopback(one.hostname or "") and is_loopback(two.hostname or "")
    return url.rstrip("/") == other.rstrip("/") or (both and one.port is not None and one.port == two.port)
