"""Hooks before and after every request: request id, API key, log line and security headers."""

import re
import time

from flask import Flask, Response, g, request
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from api.auth import admit, log_admin_act
from api.services import current_services
from api.url_prefix import prefix_of
from rowcast.jobs.actions.submit import is_job_id, new_id
from rowcast.logs import logger
from rowcast.tracing.origin import trace_id_of
from rowcast.tracing.spans import Span
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

PROBES = ("/health", "/ready", "/ping", "/v2/health/live", "/v2/health/ready", "/metrics", "/metrics/cluster")
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
    g.traceparent = _begin_span(TraceContext.read(request.headers.get("traceparent", "")))
    g.trace_id = trace_id_of(g.traceparent)
    clear_contextvars()
    bind_contextvars(request_id=g.request_id, trace_id=g.trace_id)
    job = (request.view_args or {}).get("id", "")
    if is_job_id(job):
        bind_contextvars(job=job)
    admit()


def _begin_span(above: TraceContext | None) -> str:
    """Begins the span of the request, if spans are exported. Returns the context for what the request leads to."""
    tracer = current_services().tracer
    if not tracer.is_on or request.path in PROBES:
        return str(above or TraceContext.new())
    route = request.url_rule.rule if request.url_rule else ""
    known = {"http.request.method": request.method, "http.route": route, "url.path": request.path}
    about = known | {"rowcast.request_id": g.request_id}
    g.span = tracer.begin(f"{request.method} {route}".rstrip(), "server", str(above or ""), about)
    return str(g.span.traceparent)


def _end_span(status: int | None) -> None:
    span: Span | None = g.pop("span", None)
    if span is None:
        return
    span.set("http.response.status_code", status)
    span.set("rowcast.job.id", get_contextvars().get("job"))
    if status is None or status >= 500:
        span.fail("no response" if status is None else f"status {status}")
    span.end()


def _leave(_error: BaseException | None) -> None:
    """Counts that a request is over. Without a response, too: its caller may have gone away."""
    current_services().metrics.leave()
    _end_span(None)


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
    _end_span(response.status_code)
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
