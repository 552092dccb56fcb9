"""Hooks before and after every request: request id, API key, log line and security headers."""

import re
import time

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars

from api.auth import admit, log_admin_act
from api.services import current_services
from api.url_prefix import prefix_of
from rowcast.jobs.actions.submit import is_job_id, new_id
from rowcast.logs import logger
from rowcast.tracing.trace_context import TraceContext

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
"""Policy of our pages: they may only load our own files, have no inline script or style, and cannot be framed."""

PROBES = ("/health", "/ready", "/metrics", "/metrics/cluster")
"""Paths that programs read again and again. Their requests are only logged at the level `debug`."""

_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,128}$")


def register(app: Flask) -> None:
    """Registers the hooks."""
    app.before_request(_begin)
    app.after_request(_end)
    app.teardown_request(_leave)


def _begin() -> None:
    current_services().metrics.begin()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else new_id()
    forwarded = request.headers.get("X-Forwarded-Prefix")
    g.prefix = prefix_of(current_services().settings, request.remote_addr, forwarded)
    g.started = time.perf_counter()
    trace = TraceContext.read(request.headers.get("traceparent", "")) or TraceContext.new()
    g.trace_id, g.traceparent = trace.trace_id, str(trace)
    clear_contextvars()
    bind_contextvars(request_id=g.request_id, trace_id=g.trace_id)
    job = (request.view_args or {}).get("id", "")
    if is_job_id(job):
        bind_contextvars(job=job)
    admit()


def _leave(_error: BaseException | None) -> None:
    """Counts that a request is over. Without a response, too: its caller may have gone away."""
    current_services().metrics.leave()


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    response.headers["X-Trace-ID"] = g.trace_id
    response.headers["X-Content-Type-Options"] = "nosniff"
    if response.mimetype == "text/html":
        response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        response.headers["Referrer-Policy"] = "no-referrer"
    log_admin_act(response)
    seconds = time.perf_counter() - g.started
    current_services().metrics.end(response, seconds)
    # Probes come every few seconds, so their log lines would hide the others.
    level = "debug" if request.path in PROBES else "info"
    getattr(logger("gateway"), level)(
        "request",
        method=request.method,
        path=request.path,
        status=response.status_code,
        seconds=round(seconds, 6),
        bytes=response.content_length,
    )
    return response
