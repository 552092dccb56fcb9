"""Resolves names of hosts with the system's resolver, in separate threads and within a bounded time.

The system's resolver (`getaddrinfo`) knows /etc/hosts and the names of a container network. It has no timeout and
cannot be interrupted. So names that resolve slowly occupy only these threads, and not those that the store needs.
"""

import socket
from typing import Any

import gevent
from gevent.monkey import get_original
from gevent.threadpool import ThreadPool

THREADS = 8
RESOLVE_SECONDS = 4.0
"""How long a caller waits for the addresses of a name."""

_UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}


class UnknownName(Exception):
    """No such name exists, or it has no address."""


class NoAnswer(Exception):
    """The resolver gives no answer at the moment."""


class NameResolver:
    """Resolves names. One for the whole process, so that the number of threads is bounded."""

    def __init__(self) -> None:
        self._pool = ThreadPool(THREADS)

    def addresses(self, host: str, port: int) -> list[str]:
        """Returns every address of a host, in the order in which they should be tried; never an empty list.

        Raises:
            UnknownName, NoAnswer: as the classes say.
        """
        with gevent.Timeout(RESOLVE_SECONDS, NoAnswer(f"no answer from DNS within {RESOLVE_SECONDS:g} seconds")):
            answer = self._pool.spawn(_resolve, host, port).get()
        if isinstance(answer, list):
            return list(dict.fromkeys(answer))
        if isinstance(answer, UnicodeError) or getattr(answer, "errno", None) in _UNKNOWN:
            raise UnknownName("its name does not exist")
        raise NoAnswer("DNS gives no answer at the moment")


def _resolve(host: str, port: int) -> Any:
    """Runs in a thread. Returns addresses or the exception: gevent prints exceptions even if they are caught."""
    try:
        found = get_original("socket", "getaddrinfo")(host, port, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return [address[0] for *_, address in found]
