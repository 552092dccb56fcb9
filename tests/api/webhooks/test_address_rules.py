"""Which addresses a webhook may lead to."""

import pytest

from api.webhooks.address_rules import refusal

NEVER = {
    "169.254.169.254": "a metadata address of a cloud",
    "100.100.100.200": "a metadata address of a cloud",
    "fd00:ec2::254": "a metadata address of a cloud",
    "169.254.1.1": "a link-local address",
    "fe80::1": "a link-local address",
    "fe80::1%eth0": "a link-local address",
    "fec0::1": "a link-local address",
    "0.0.0.0": "an unspecified address",
    "::": "an unspecified address",
    "224.0.0.1": "a multicast address",
    "ff02::1": "a multicast address",
    "240.0.0.1": "a reserved address",
    "255.255.255.255": "a reserved address",
    "0.1.2.3": "a reserved address",
    "192.0.0.8": "a reserved address",
    "192.88.99.1": "a reserved address",
    "4000::1": "a reserved address",
    "::ffff:8.8.8.8": "an IPv4-mapped address",
    "::127.0.0.1": "an IPv4-compatible address",
    "64:ff9b::808:808": "a NAT64 address",
    "64:ff9b:1::a00:1": "a NAT64 address",
    "2002:808:808::1": "a 6to4 address",
    "2001:0:808:808::1": "a Teredo address",
}

PRIVATE = {
    "127.0.0.1": "a loopback address",
    "127.8.9.1": "a loopback address",
    "::1": "a loopback address",
    "10.1.2.3": "a private address",
    "172.16.0.1": "a private address",
    "192.168.1.1": "a private address",
    "100.64.0.1": "a private address",
    "192.0.2.1": "a private address",
    "198.18.0.1": "a private address",
    "fc00::1": "a private address",
    "2001:db8::1": "a private address",
}


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allows_private", [True, False])
def test_some_addresses_are_refused_whatever_the_settings_say(address: str, allows_private: bool) -> None:
    assert refusal(address, allows_private=allows_private) == NEVER[address]


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_the_setting(address: str) -> None:
    assert refusal(address, allows_private=False) == PRIVATE[address]
    assert refusal(address, allows_private=True) is None


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert refusal(address, allows_private=False) is None
