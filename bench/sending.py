"""Callers of the gateway, in one thread and on raw sockets: a caller must need less time than the gateway."""

import json
import selectors
import socket
from collections.abc import Sequence
from time import perf_counter
from typing import Any


def predict_request(model: str, row: Sequence[float], wait: bool) -> bytes:
    """Returns the bytes of `POST /predict` for one row."""
    body = json.dumps({"features": list(row), "model": model}).encode()
    prefer = "Prefer: wait=60\r\n" if wait else ""
    head = (
        f"POST /predict HTTP/1.1\r\nHost: localhost\r\n{prefer}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def get_request(path: str) -> bytes:
    """Returns the bytes of a GET."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


class Caller:
    """A connection that is kept."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._got = b""

    def send(self, request: bytes) -> None:
        """Sends one request."""
        self.socket.sendall(request)

    def received(self) -> bytes | None:
        """Reads once. Returns the answer, head and body, when it is complete; until then None."""
        self._got += self.socket.recv(65536)
        head, blank, body = self._got.partition(b"\r\n\r\n")
        if not blank or len(body) < int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]):
            return None
        answer, self._got = self._got, b""
        return answer

    def ask(self, request: bytes) -> bytes:
        """Sends, and waits for the whole answer."""
        self.send(request)
        while (answer := self.received()) is None:
            pass
        return answer

    def json(self, request: bytes) -> Any:
        """Returns the answer's body."""
        return json.loads(self.ask(request).partition(b"\r\n\r\n")[2])


def rate(port: int, request: bytes, callers: int, seconds: float) -> float:
    """Returns the answers a second, if each caller sends again as soon as it has its answer."""
    selector = selectors.DefaultSelector()
    for _ in range(callers):
        caller = Caller(port)
        selector.register(caller.socket, selectors.EVENT_READ, caller)
        caller.send(request)
    started, answers = perf_counter(), 0
    while (now := perf_counter()) < started + seconds:
        for ready, _ in selector.select(1):
            answer = ready.data.received()
            if answer is not None:
                assert answer[9:11] == b"20", answer
                answers += 1
                ready.data.send(request)
    for ready in list(selector.get_map().values()):
        ready.data.socket.close()
    return answers / (now - started)
