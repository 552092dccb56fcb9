"""A receiver of webhooks on loopback, which answers as the path says, and keeps what it got."""

import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import Any

from standardwebhooks import Webhook

SECRET = "whsec_cm93Y2FzdC10ZXN0cy1zaWduLXdpdGgtdGhpcw=="


@dataclass(frozen=True)
class Received:
    """A request that arrived."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def job(self, secret: str = SECRET) -> dict[str, Any]:
        """Checks signature and time, and returns the job in the body."""
        return Webhook(secret).verify(self.body, self.headers)  # type: ignore[no-any-return]


@dataclass
class Receiver:
    """What a test sees of the receiver."""

    port: int
    received: "Queue[Received]" = field(default_factory=Queue)
    #: Set at the end, and by tests that let `/held` go on.
    released: threading.Event = field(default_factory=threading.Event)
    #: Requests by path.
    seen: Counter[str] = field(default_factory=Counter)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def next(self) -> Received:
        return self.received.get(timeout=60)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    receiver: Receiver


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver = self.server.receiver
        receiver.seen[self.path] += 1
        receiver.received.put(Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        with suppress(BrokenPipeError, ConnectionResetError):
            self._answer(receiver)

    def do_GET(self) -> None:  # nothing may come here: redirects are not followed
        self.server.receiver.seen["GET " + self.path] += 1
        self._send(200)

    def _answer(self, receiver: Receiver) -> None:
        match self.path.partition("?")[0].strip("/").split("/"):
            case ["status", status, *_]:
                self._send(int(status))
            case ["fails-once", *_]:
                self._send(503 if receiver.seen[self.path] == 1 else 204)
            case ["busy", *_]:
                self._send(429, {"Retry-After": "3600"})
            case ["busy-until", *_]:
                self._send(503, {"Retry-After": formatdate(time.time() + 7200, usegmt=True)})
            case ["moved", *_]:
                self._send(302, {"Location": receiver.url("/elsewhere")})
            case ["held", *_]:
                receiver.released.wait(60)
                self._send(200)
            case ["endless", *_]:
                self._send(200, {"Content-Length": str(2**40)})
                while not receiver.released.is_set():
                    self.wfile.write(b"x" * 65_536)
            case ["drip", *_]:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n")
                while not receiver.released.wait(0.2):
                    self.wfile.write(b"x-more: 1\r\n")
            case _:
                self._send(200)

    def _send(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (({} if status == 204 else {"Content-Length": "0"}) | (headers or {})).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def receiving(tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    """Runs a receiver until the end of the block."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.receiver = Receiver(int(server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.receiver
    finally:
        server.receiver.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def canonical(job: dict[str, Any]) -> str:
    """A job as text, without what changes while it is delivered."""
    return json.dumps({name: value for name, value in job.items() if name != "webhook"}, sort_keys=True)
