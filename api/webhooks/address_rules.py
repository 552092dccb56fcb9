"""Which IP addresses a webhook may lead to. Pure: the names are resolved in `name_resolution.py`."""

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_METADATA = frozenset(
    map(ipaddress.ip_address, ("169.254.169.254", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254"))
)
"""Where clouds give their machines credentials: AWS, Azure and Google, then Alibaba, Oracle, AWS and Google (IPv6)."""

_SHARED = (ipaddress.IPv4Network("100.64.0.0/10"),)
"""Addresses behind a provider's NAT (RFC 6598), which some clouds and VPNs use for machines."""

_EMBEDDING = {
    ipaddress.ip_network("::ffff:0:0/96"): "an IPv4-mapped address",
    ipaddress.ip_network("::/96"): "an IPv4-compatible address",
    ipaddress.ip_network("2002::/16"): "a 6to4 address",
    ipaddress.ip_network("64:ff9b::/96"): "a NAT64 address",
    ipaddress.ip_network("64:ff9b:1::/48"): "a NAT64 address",
    ipaddress.ip_network("2001::/32"): "a Teredo address",
}
"""IPv6 networks whose addresses carry an IPv4 address, which may be any."""

_RESERVED = tuple(map(ipaddress.IPv4Network, ("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24")))
"""This network, protocol assignments and relays of 6to4 (RFC 6890, RFC 7526). Not every Python counts them as such."""


def refusal(address: str, *, allows_private: bool) -> str | None:
    """Returns what kind of address it is, for example `a private address`, or None if a webhook may lead there.

    With `allows_private`, loopback and private addresses are allowed. Link-local, multicast, reserved and metadata
    addresses, and those that embed an IPv4 address, never are. A new kind of address that is not public is refused.
    """
    found = ipaddress.ip_address(address.partition("%")[0])
    kind = _never(found)
    if kind is not None:
        return kind
    if found.is_loopback:
        kind = "a loopback address"
    elif found.is_private or _is_in(found, _SHARED):
        kind = "a private address"
    if kind is not None:
        return None if allows_private else kind
    return None if found.is_global else "not a public address"


def _never(address: Address) -> str | None:
    """Returns the kind of an address that is refused whatever the settings say, or None."""
    if address.is_loopback:
        return None
    kinds = [
        ("a metadata address of a cloud", address in _METADATA),
        ("an unspecified address", address.is_unspecified),
        ("a link-local address", address.is_link_local or getattr(address, "is_site_local", False)),
        ("a multicast address", address.is_multicast),
        *((kind, address in network) for network, kind in _EMBEDDING.items()),
        ("a reserved address", address.is_reserved or _is_in(address, _RESERVED)),
    ]
    return next((kind for kind, applies in kinds if applies), None)


def _is_in(address: Address, networks: Iterable[ipaddress.IPv4Network]) -> bool:
    return isinstance(address, ipaddress.IPv4Address) and any(address in network for network in networks)
