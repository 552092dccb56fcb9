"""A TCP proxy that can become a black hole: connections stay open, new ones are taken, and nothing arrives any more.

It can also cut connections, after a number of bytes or in place of an answer.
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress

_BLOCK_BYTES = 65536


class Proxy:
    """Forwards to a port of this machine, until `swallow`; from `forward` on again what is connected then."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._is_open, self._holes = True, 0
        self._left: int | None = None
        self._cuts_answer = False
        self._mark, self._marks_left = b"", 0
        self.swallowed = threading.Event()
        """Set when `swallow_at` has taken effect."""
        self.sent_bytes = 0
        """Number of bytes that were passed on to the port."""
        self.requests = b""
        """What was passed on to the port."""
        self.answers = b""
        """What was passed on from the port."""
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def swallow(self) -> None:
        """From now on whatever is sent is lost, in either direction."""
        self._is_open, self._holes = False, self._holes + 1

    def swallow_at(self, mark: bytes, count: int) -> None:
        """Swallows everything from the request on that has the `count`-th of these marks."""
        self._mark, self._marks_left = mark, count

    def forward(self) -> None:
        """New connections work. The old ones stay as dead as they are, without a word to either end."""
        self._is_open = True

    def cut_after(self, count: int) -> None:
        """Cuts the connection on which the last of `count` further bytes is passed on to the port."""
        self._left = count

    def cut_answer(self) -> None:
        """Cuts the connection on which the next answer comes, and loses the answer."""
        self._cuts_answer = True

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
                holes = self._holes  # read first: a hole that opens between the two lines swallows this connection
                if self._is_open:
                    self._connect(client, holes)

    def _connect(self, client: socket.socket, holes: int) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:  # no server listens there at the moment
            client.close()
            return
        self._sockets.append(server)
        for ends in ((client, server, self._cut_request), (server, client, self._cut_response)):
            threading.Thread(target=self._pump, args=(*ends, holes), daemon=True).start()

    def _cut_request(self, block: bytes) -> tuple[bytes, bool]:
        """Returns what of a block is passed on to the port, and whether the connection is cut behind it."""
        left, is_cut = self._left, False
        if left is not None:
            block, is_cut = block[:left], len(block) >= left
            self._left = None if is_cut else left - len(block)
        self.sent_bytes += len(block)
        self.requests += block
        if self._marks_left and self.requests.count(self._mark) >= self._marks_left:
            self._marks_left = 0
            self.swallow()
            self.swallowed.set()
            return b"", False
        return block, is_cut

    def _cut_response(self, block: bytes) -> tuple[bytes, bool]:
        if self._cuts_answer:
            self._cuts_answer = False
            return b"", True
        self.answers += block
        return block, False

    def _pump(
        self,
        source: socket.socket,
        sink: socket.socket,
        cut: Callable[[bytes], tuple[bytes, bool]],
        holes: int,
    ) -> None:
        """Passes on what comes, and the end, too: unless it falls into a hole."""
        with suppress(OSError):
            is_cut = False
            while not is_cut and (block := source.recv(_BLOCK_BYTES)):
                if holes == self._holes:
                    block, is_cut = cut(block)
                    sink.sendall(block)
        if holes == self._holes:
            with suppress(OSError):
                sink.shutdown(socket.SHUT_RDWR)
            source.close()
