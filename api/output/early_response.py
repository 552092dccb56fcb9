"""Responses to uploads that are refused before all of the body has arrived.

If a socket is closed while data still arrives, the kernel resets it, and the caller sees a broken pipe instead of the
response. So the response says `Connection: close`, and the rest of the body is read and discarded for a few seconds.
"""

import time
from collections.abc import Callable
from typing import Any

from flask import Response, request

LINGER_SECONDS = 5.0
SILENCE_SECONDS = 1.0
LINGER_BYTES = 256 * 1024 * 1024

BODY_READ = "rowcast.body_read"
"""Key in the WSGI environment: set when the body has been read to its end."""

CLOSE = "rowcast.close"
"""Key in the WSGI environment: a function that closes the connection after the response (`server.py`)."""


def close_after(response: Response) -> None:
    """Closes the connection some seconds after `response`, unless the request's body was read to its end."""
    close: Callable[[], None] | None = request.environ.get(CLOSE)
    has_body = request.content_length or "chunked" in request.headers.get("Transfer-Encoding", "")
    if close is None or not has_body or request.environ.get(BODY_READ):
        return
    close()
    body, socket = request.environ["wsgi.input"], request.environ["gunicorn.socket"]
    response.call_on_close(lambda: _discard(body, socket))


def _discard(body: Any, socket: Any) -> None:
    socket.settimeout(SILENCE_SECONDS)
    until, left = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
    try:
        while left > 0 and time.monotonic() < until:
            block = body.read(65_536)
            if not block:
                return
            left -= len(block)
    except Exception:  # the caller has closed the connection or broken the protocol: no response can reach it
        return
