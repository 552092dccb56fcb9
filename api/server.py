"""The gateway's server: gunicorn with gevent. One process serves thousands of waiting callers and slow uploads."""

import atexit
import gc
import html
import json
import re
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
import uuid_utils
from gevent.server import StreamServer
from gunicorn.app.base import BaseApplication
from gunicorn.workers.ggevent import GeventWorker

from rowcast.logs import logger
from rowcast.settings import Settings
from rowcast.tracing.export import why_not_exported

CONNECTIONS = 10_000
KEEP_ALIVE_SECONDS = 75
"""Longer than load balancers usually keep idle connections, so that the load balancer closes first."""

GRACE_SECONDS = 5
"""How long running requests may go on after SIGTERM, if the caller does not say otherwise."""
BACKLOG = 2048


class Server(BaseApplication):
    """gunicorn with the options below. Its own configuration files and environment variables are not read."""

    def __init__(self, settings: Settings, bind: str, grace_seconds: int = GRACE_SECONDS) -> None:
        self._settings = settings
        self._options = {
            "bind": [bind],
            "worker_class": ProblemWorker,
            # One process: waiting callers share one subscription. To scale out, run more containers.
            "workers": 1,
            "worker_connections": CONNECTIONS,
            "keepalive": KEEP_ALIVE_SECONDS,
            "graceful_timeout": grace_seconds,
            "timeout": 60,
            "backlog": BACKLOG,
            # gunicorn 27 opens a control socket in the home directory by default.
            "control_socket_disable": True,
            "forwarded_allow_ips": "",  # no peer is trusted to say which scheme the caller used
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
        """The path under which a proxy serves the gateway."""
        return self._settings.url_prefix

    def load_config(self) -> None:
        """Sets our options."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Callable[..., Any]:
        """Builds the application in the server's process, because gevent has patched only that process."""
        from api.app import create_app
        from api.webhooks.deliveries import Deliveries

        app = create_app(self._settings)
        tracer = app.extensions["rowcast"].tracer
        if (why := why_not_exported()) is not None:
            logger("gateway").warning("traces_not_exported", reason=why)
        atexit.register(tracer.close)
        gc.freeze()  # the modules' objects stay for ever, so no collection has to look at them
        if self._settings.webhook_keys:
            Deliveries(app.extensions["rowcast"]).start()
        return _closable(app.wsgi_app)


class ProblemWorker(GeventWorker):
    """A gevent worker that sends problem documents for requests that gunicorn refuses before the application runs.

    At a stop it closes the connections on which no request is running. gunicorn would wait for their callers.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._waits: set[_RequestWait] = set()
        # Other gateways may listen on the same socket: none takes all connections that wait there. gunicorn sets
        # this only if it starts several workers.
        StreamServer.max_accept = 1

    def timeout_ctx(self) -> "_RequestWait":
        """Returns the context in which a connection waits for its next request."""
        return _RequestWait(self._waits, self.cfg.keepalive if self.alive else 0)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Does what gunicorn's does at SIGTERM, and closes the connections without a request."""
        super().handle_exit(sig, frame)
        gevent.get_hub().loop.run_callback(self._end_waits)

    def _end_waits(self) -> None:
        for wait in list(self._waits):
            wait.end()

    def handle_request(self, listener_name: str, req: Any, sock: Any, addr: Any) -> None:
        """Does what gunicorn's does, but sends head and body in one packet."""
        joining = _JoiningSocket(sock)
        try:
            super().handle_request(listener_name, req, joining, addr)
        finally:  # gunicorn closes a connection by raising an exception
            joining.flush()

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Does what gunicorn's does, through a socket that turns the HTML page into a problem document."""
        super().handle_error(req, _ProblemSocket(client, self.app.url_prefix), addr, exc)


class _RequestWait(gevent.Timeout):
    """The wait of a connection for its next request. When the time is over, the connection is closed."""

    def __init__(self, waits: "set[_RequestWait]", seconds: float) -> None:
        super().__init__(seconds, False)
        self._waits, self._greenlet = waits, gevent.getcurrent()

    def __enter__(self) -> "_RequestWait":
        self._waits.add(self)
        super().__enter__()
        return self

    def __exit__(self, *raised: Any) -> bool | None:
        self._waits.discard(self)
        return bool(super().__exit__(*raised))

    def end(self) -> None:
        """Ends the wait as if the time were over. Call it from gevent's loop, where no connection is at work."""
        self._greenlet.throw(self)


class _JoiningSocket:
    """Holds a response's head back until its body begins. gunicorn would send two packets and wake the caller twice."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._head: bytes | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, data: bytes) -> None:
        """Sends `data`. The first data of a response, its head, is sent together with the next."""
        if self._head is None:
            self._head = data
        else:
            self._client.sendall(self._head + data if self._head else data)
            self._head = b""

    def sendfile(self, *arguments: Any, **named: Any) -> int:
        """Sends the head, and then a file as the body."""
        self.flush()
        return self._client.sendfile(*arguments, **named)

    def flush(self) -> None:
        """Sends the head of a response without a body. If the connection was cut on purpose, does nothing."""
        if self._head:
            with suppress(OSError):
                self._client.sendall(self._head)
            self._head = b""


class _ProblemSocket:
    """A socket that sends gunicorn's error page as a problem document."""

    _PAGE = re.compile(rb"HTTP/1\.1 (\d{3}) ([^\r]*)\r\n.*?<h1><p>.*?</p></h1>\s*(.*?)\s*</body>", re.DOTALL)

    def __init__(self, client: socket.socket, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, data: bytes) -> None:
        """Sends `data`, or the problem document if `data` is an error page."""
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
"""Holds gunicorn's request object of each greenlet. A WSGI application cannot get it in another way."""


def _remember(_worker: Any, request: Any) -> None:
    _present.request = request


def _closable(wsgi: Callable[..., Any]) -> Callable[..., Any]:
    """Adds a function to the WSGI environment that closes the connection after the response. WSGI itself has none."""
    from api.output.early_response import CLOSE

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        request = _present.request
        environ[CLOSE] = lambda: setattr(request, "must_close", True)
        return wsgi(environ, start_response)

    return app
