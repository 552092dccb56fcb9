"""A TCP proxy that can become a black hole: connections stay open, new ones are taken, and nothing arrives any more."""

import socket
import threading
from contextlib import suppress

_BLOCK_BYTES = 65536


class Proxy:
    """Forwards to a port of this machine, until `swallow`; from `forward` on again what is connected then."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_open, self._holes = True, 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def swallow(self) -> None:
        """From now on whatever is sent is lost, in either direction."""
        self._is_open, self._holes = False, self._holes + 1

    def forward(self) -> None:
        """New connections work. The old ones stay as dead as they are, without a word to either end."""
        self._is_open = True

    def close(self) -> None:
        """Ends all connections. Waits for the acceptor first: it could open another one after the others are closed."""
        with suppress(OSError):  # wakes `accept`, which closing the socket in another thread does not
            self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                if self._is_open:
                    self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:  # no server listens there at the moment
            client.close()
            return
        self._sockets.append(server)
        for ends in ((client, server), (server, client)):
            threading.Thread(target=self._pump, args=(*ends, self._holes), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, holes: int) -> None:
        """Passes on what comes, and the end, too: unless it falls into a hole."""
        with suppress(OSError):
            while block := source.recv(_BLOCK_BYTES):
                if holes == self._holes:
                    sink.sendall(block)
        if holes == self._holes:
            with suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)
            source.close()
