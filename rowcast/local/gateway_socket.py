"""The gateway's socket, opened by the supervisor: a taken port is told at once, a restarted gateway keeps its own."""

import errno
import socket

from rowcast.errors import RowcastError

BACKLOG = 2048


class CannotListen(RowcastError):
    """The port is taken, or the host is not one of this machine's."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; `port` 0 takes a free one.

    Raises:
        CannotListen: with the reason, and the port in it.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise CannotListen(f"{host} is no address to listen on: {error.strerror}") from None
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(
                f"Port {port} on {host} is taken; give another with --port, or 0 for a free one."
            ) from None
        raise CannotListen(f"{host} port {port} cannot be listened on: {error.strerror}") from None
    return server


def address_of(server: socket.socket) -> tuple[str, int]:
    """Host and port by which this machine reaches the socket; a socket on all addresses is reached on loopback."""
    host, port = server.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 - compared, not bound


def url_of(server: socket.socket) -> str:
    """The same as a URL."""
    host, port = address_of(server)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
