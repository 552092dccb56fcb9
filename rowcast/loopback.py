"""Loopback: which hosts only this machine can reach."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Returns whether only this machine can reach the host, for example `127.0.0.1`, `::1` or `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
