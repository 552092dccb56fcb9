"""The gateway's server: gunicorn with gevent; one process holds a thousand waiting callers and slow uploads alike."""

import html
import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import uuid_utils
from gunicorn.app.base import BaseApplication
from gunicorn.workers.ggevent import GeventWorker

from rowcast.settings import Settings

CONNECTIONS = 10_000
KEEP_ALIVE_SECONDS = 75
"""Longer than the load balancers in front of such a service keep their connections, so that they close first."""

GRACE_SECONDS = 5
BACKLOG = 2048


class Server(BaseApplication):
    """gunicorn, set up from here and not from files or its own variables."""

    def __init__(self, settings: Settings, bind: str) -> None:
        self._settings = settings
        self._options = {
            "bind": [bind],
            "worker_class": ProblemWorker,
            # One process: waiting callers share one subscription, and more gateways are more containers.
            "workers": 1,
            "worker_connections": CONNECTIONS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": GRACE_SECONDS,
            "timeout": 60,
            "backlog": BACKLOG,
            # 27 opens a control socket in the home directory unless told not to.
            "control_socket_disable": True,
            "forwarded_allow_ips": "",  # nobody's word about the scheme is taken
            "limit_request_line": 4094,
            "limit_request_fields": 50,
            "pre_request": _remember,
            "loglevel": "warning",
            "logger_class": "gunicorn.glogging.Logger",
            "proc_name": "rowcast-gateway",
        }
        super().__init__()

    @property
    def url_prefix(self) -> str:
        """The path below which a proxy serves the gateway."""
        return self._settings.url_prefix

    def load_config(self) -> None:
        """Takes our options over."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Makes the application in the server's process: gevent has patched that one only then."""
        from api.app import create_app

        return _closable(create_app(self._settings).wsgi_app)


class ProblemWorker(GeventWorker):
    """A gevent worker whose own errors, of requests that no application sees, are problem documents, too."""

    def handle_request(self, listener_name: str, req: Any, sock: Any, addr: Any) -> None:
        """As gunicorn's, with head and body in one packet."""
        joining = _JoiningSocket(sock)
        try:
            super().handle_request(listener_name, req, joining, addr)
        finally:  # gunicorn closes a connection by an exception
            joining.flush()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """As gunicorn's, through a socket that turns its HTML page into a problem."""
        super().handle_error(req, _ProblemSocket(client, self.app.url_prefix), addr, exc)


class _JoiningSocket:
    """Keeps an answer's head back until its body begins: gunicorn sends each by itself, and wakes the caller twice."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._head: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, data: bytes) -> None:
        """Sends `data`; the first of an answer, its head, with the next."""
        if self._head is None:
            self._head = data
        else:
            self._client.sendall(self._head + data if self._head else data)
            self._head = b""

    def sendfile(self, *arguments: Any, **named: Any) -> int:
        """Sends the head, and a file as its body."""
        self.flush()
        return self._client.sendfile(*arguments, **named)

    def flush(self) -> None:
        """Sends the head of an answer that has no body; where the connection was cut on purpose, nothing."""
        if self._head:
            with suppress(OSError):
                self._client.sendall(self._head)
            self._head = b""


class _ProblemSocket:
    """Sends gunicorn's error page as a problem document."""

    _PAGE = re.compile(rb"HTTP/1\.1 (\d{3}) ([^\r]*)\r\n.*?<h1><p>.*?</p></h1>\s*(.*?)\s*</body>", re.DOTALL)

    def __init__(self, client: socket.socket, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, data: bytes) -> None:
        """Sends `data`, translated."""
        page = self._PAGE.match(data)
        self._client.sendall(_page(page, self._prefix) if page else data)


def _page(page: re.Match[bytes], prefix: str) -> bytes:
    from api.error_responses import BadHttp, problem  # only in the server's process: gevent has patched that one

    status, reason, detail = page[1].decode(), page[2].decode(), html.unescape(page[3].decode("latin-1"))
    id = str(uuid_utils.uuid7())
    document = problem(BadHttp(detail or reason).recorded(), prefix)
    body = json.dumps({**document, "status": int(status), "request_id": id}).encode()
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: application/problem+json\r\n"
        f"X-Request-ID: {id}\r\nX-Content-Type-Options: nosniff\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


_present = threading.local()
"""gunicorn's own request object of each greenlet: the only way to it that a WSGI application has."""


def _remember(_worker: Any, request: Any) -> None:
    _present.request = request


def _closable(wsgi: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the application a way to close the connection after its answer, which WSGI itself has not."""
    from api.output.early_response import CLOSE

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        request = _present.request
        environ[CLOSE] = lambda: setattr(request, "must_close", True)
        return wsgi(environ, start_response)

    return app
