"""The gateway's socket. The supervisor opens it, so a taken port fails at once, and a restarted gateway keeps it."""

import errno
import socket

from rowcast.errors import RowcastError

BACKLOG = 2048


class CannotListen(RowcastError):
    """The port is taken, or the host is not an address of this machine."""


def listen(host: str, port: int) -> socket.socket:
    """Returns a listening socket. Port 0 chooses a free one.

    Raises:
        CannotListen: the message names the host, the port and the reason.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise CannotListen(f"Cannot listen on {host}: {error.strerror}.") from None
    server = socket.socket(family, socket.SOCK_STREAM)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(address)
        server.listen(BACKLOG)
    except OSError as error:
        server.close()
        if error.errno == errno.EADDRINUSE:
            raise CannotListen(
                f"Port {port} on {host} is taken; choose another with --port, or --port 0 for a free one."
            ) from None
        raise CannotListen(f"Cannot listen on {host}, port {port}: {error.strerror}.") from None
    return server


def address_of(server: socket.socket) -> tuple[str, int]:
    """Returns the host and port at which this machine reaches the socket: loopback if it listens on all addresses."""
    host, port = server.getsockname()[:2]
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port  # noqa: S104 - compared, not bound


def url_of(server: socket.socket) -> str:
    """Returns the URL at which this machine reaches the socket."""
    host, port = address_of(server)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
