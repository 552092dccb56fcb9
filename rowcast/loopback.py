"""Loopback: which hosts only this machine can reach."""

import ipaddress

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
