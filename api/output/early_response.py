"""Refusing an upload before it has all arrived, so that the caller hears why.

Closing a socket on which data still arrives makes the kernel reset it, and the caller then sees a broken pipe in place
of the answer. So the answer says `Connection: close`, and what still arrives is read away for a moment.
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
"""Key in the WSGI environment: a function that makes the server close the connection after the answer (`server.py`)."""


def close_after(response: Response) -> None:
    """Where the request's body has not been read to its end: closes the connection after `response`, lingering."""
    close: Callable[[], None] | None = request.environ.get(CLOSE)
    has_body = request.content_length or "chunked" in request.headers.get("Transfer-Encoding", "")
    if close is None or not has_body or request.environ.get(BODY_READ):
        return
    close()
    body, socket = request.environ["wsgi.input"], request.environ["gunicorn.socket"]
    response.call_on_close(lambda: _read_away(body, socket))


def _read_away(body: Any, socket: Any) -> None:
    socket.settimeout(SILENCE_SECONDS)
    until, left = time.monotonic() + LINGER_SECONDS, LINGER_BYTES
    try:
        while left > 0 and time.monotonic() < until:
            block = body.read(65_536)
            if not block:
                return
            left -= len(block)
    except Exception:  # the caller is gone, or sends nonsense: there is nobody to tell
        return
