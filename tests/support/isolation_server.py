"""The fork server of the tests of isolation, as a worker's main process has one. Its socket is file descriptor 3."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from warm_start import template

from worker.isolation import isolated_process
from worker.isolation.fork_server import ForkServer, serve

SOCKET = 3


@contextmanager
def isolation_server() -> Iterator[ForkServer]:
    """A fork server that the template starts, as pytest's process has threads and must not fork."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
            process = template("worker").start([__name__], environment, sys.__stderr__.fileno(), theirs.fileno())
        yield ForkServer(ours)
    process.wait()


if __name__ == "__main__":
    sys.exit(serve(socket.socket(fileno=SOCKET), isolated_process.run))
