from rowcast.loopback import is_loopback


def test_only_loopback_addresses_and_localhost_are_loopback() -> None:
    assert all(map(is_loopback, ["127.0.0.1", "127.1.2.3", "::1", "localhost"]))
    assert not any(map(is_loopback, ["0.0.0.0", "::", "192.168.1.1", "example.org"]))
