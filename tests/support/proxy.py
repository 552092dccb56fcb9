"""A TCP proxy that can become a black hole: connections stay open, new ones are taken, and nothing arrives any more."""

import socket
import threading
from contextlib import suppress

_BLOCK_BYTES = 65536


class Proxy:
    """Forwards to a port of this machine, until `swallow`, and again after `forward`."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self) -> None:
        """From now on nothing is passed on, in either direction."""
        self._open.clear()

    def forward(self) -> None:
        """What was held back goes its way, late."""
        self._open.set()

    def close(self) -> None:
        self.forward()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self._open.wait()
        with suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self._target))
            threading.Thread(target=self._pump, args=(server, client), daemon=True).start()
            self._pump(client, server)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError), source, sink:
            while block := source.recv(_BLOCK_BYTES):
                self._open.wait()
                sink.sendall(block)
            sink.shutdown(socket.SHUT_RDWR)
