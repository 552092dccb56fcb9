import socket

import pytest

from rowcast.local.gateway_socket import CannotListen, listen, url_of


def test_a_taken_port_is_an_error_that_names_it() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(CannotListen, match=f"Port {port} on 127.0.0.1 is taken"):
            listen("127.0.0.1", port)


def test_port_0_takes_a_free_one_and_the_address_tells_which() -> None:
    with listen("127.0.0.1", 0) as server:
        assert url_of(server) == f"http://127.0.0.1:{server.getsockname()[1]}"
        socket.create_connection(server.getsockname()).close()


def test_a_socket_on_all_addresses_is_reached_on_loopback() -> None:
    with listen("0.0.0.0", 0) as server:
        assert url_of(server).startswith("http://127.0.0.1:")


def test_a_host_that_is_not_ours_is_an_error_that_names_it() -> None:
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1"):
        listen("192.0.2.1", 0)
    with pytest.raises(CannotListen, match=r"no\.such\.host\.invalid"):
        listen("no.such.host.invalid", 0)
