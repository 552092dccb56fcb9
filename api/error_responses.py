"""The one place that knows which error is which HTTP status; every error leaves as a problem document (RFC 9457)."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NotRequired, cast

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from api.output.early_response import close_after
from api.url_prefix import prefix
from rowcast import errors
from rowcast.logs import logger
from rowcast.problem import Problem, Recorded


class UnknownPath(errors.NotFound):
    """The service has no such path."""

    slug = "unknown-path"
    title = "Unknown path"
    remedy = "Check the address; `/docs` lists all calls."


class UnknownMethod(errors.Refused):
    """The path exists and does not take this HTTP method."""

    slug = "unknown-method"
    title = "Method not allowed"
    remedy = "Use a method that the header `Allow` lists."


class RangeBeyondEnd(errors.Refused):
    """The `Range` begins beyond the end of the result."""

    slug = "range-beyond-end"
    title = "Range beyond the end"
    remedy = "The header `Content-Range` gives the length; if you have as many bytes, the download is complete."


class BadHttp(errors.Unreadable):
    """The request breaks the rules of HTTP, or its head is too long."""

    slug = "bad-http"
    title = "Bad HTTP request"
    remedy = "Send the request with an HTTP library or curl; put long values into the body."


STATUS: dict[type[errors.RowcastError], int] = {
    errors.RowcastError: 500,
    errors.Refused: 400,
    errors.NoKey: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    UnknownMethod: 405,
    errors.NotAcceptable: 406,
    errors.WrongState: 409,
    errors.Cancelled: 409,
    errors.Gone: 410,
    errors.TooLarge: 413,
    errors.UnsupportedType: 415,
    RangeBeyondEnd: 416,
    errors.Unprocessable: 422,
    errors.BadRow: 422,
    errors.TooManyBadRows: 422,
    errors.EveryRowBad: 422,
    errors.RateLimited: 429,
    errors.Unavailable: 503,
}
"""An error's status is that of its nearest ancestor here."""

HELP = "/docs/errors#"
"""Path of the page about a type; its slug follows."""

_OF_WERKZEUG: dict[int, type[errors.RowcastError]] = {404: UnknownPath, 405: UnknownMethod, 416: RangeBeyondEnd}

_DETAILS: dict[type[errors.RowcastError], str] = {
    UnknownPath: "There is no path {path} here.",
    UnknownMethod: "{path} does not take {method}.",
}
"""In place of Werkzeug's own sentences."""


_NOT_OVER_HTTP = (errors.BadSetting, errors.BadKeysFile)
"""Errors that stop a program at its start. No HTTP caller ever sees them."""


class HttpProblem(Problem):
    """What went wrong with a request. `error` is a failed job's own problem; `job` the job that a row was made."""

    request_id: str
    error: NotRequired[Problem]
    job: NotRequired[str]


def status_of(kind: type[errors.RowcastError]) -> int:
    """The HTTP status of a class of errors."""
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)


def public_types() -> dict[int, list[type[errors.RowcastError]]]:
    """Returns all types of errors that HTTP callers may see, by status; statuses and slugs are sorted."""
    kinds = [kind for kind in errors.types() if kind not in _NOT_OVER_HTTP]
    by_status: dict[int, list[type[errors.RowcastError]]] = {}
    for kind in sorted(kinds, key=lambda kind: (status_of(kind), kind.slug)):
        by_status.setdefault(status_of(kind), []).append(kind)
    return by_status


def problem(recorded: Recorded | Mapping[str, Any], below: str) -> Problem:
    """The whole document of an error, or of what a job's record has of one. `below` is the prefix of paths.

    What else `recorded` has is kept.
    """
    kind = _by_type().get(recorded["type"], errors.JobFault)
    document = {"type": recorded["type"], "title": kind.title, "status": status_of(kind), **recorded}
    return cast(Problem, document | {"help": below + HELP + kind.slug})


def register(app: Flask) -> None:
    """Sends every error of ours, of Flask's and of nobody's through one form."""
    app.register_error_handler(errors.RowcastError, _ours)
    app.register_error_handler(HTTPException, _flasks)
    app.register_error_handler(Exception, _nobodys)


def problem_response(document: Mapping[str, Any], headers: dict[str, str] | None = None) -> Response:
    """The document as a response, with the request's id in it."""
    body = {**document, "request_id": g.get("request_id", "")}
    response = Response(json.dumps(body), document["status"], headers, content_type="application/problem+json")
    if request.method in ("POST", "PUT", "PATCH"):
        close_after(response)
    return response


@cache
def _by_type() -> dict[str, type[errors.RowcastError]]:
    return {kind.problem_type(): kind for kind in errors.types()}


def _ours(error: errors.RowcastError) -> Response:
    document: dict[str, Any] = dict(problem(error.recorded(), prefix()))
    if isinstance(error, errors.WrongState) and error.problem:
        document["error"] = problem(error.problem, prefix())
    if document["status"] >= 500:
        logger("gateway").warning("request_failed", reason=error.detail, status=document["status"], type=error.slug)
    return problem_response(document, _headers(error))


def _headers(error: errors.RowcastError) -> dict[str, str]:
    """What the status asks for beside the document."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.NoKey):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.RateLimited):  # draft-ietf-httpapi-ratelimit-headers
        headers["RateLimit-Policy"] = f'"requests";q={error.limit};w=60'
        headers["RateLimit"] = f'"requests";r=0;t={error.retry_after_seconds}'
    return headers


def _flasks(error: HTTPException) -> Response:
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Content-Range", "Retry-After")}
    kind = _OF_WERKZEUG.get(error.code or 500, BadHttp)
    detail = _DETAILS.get(kind, error.description or error.name).format(method=request.method, path=request.path[:200])
    document = problem(kind(detail).recorded(), prefix())
    return problem_response({**document, "status": error.code or 500}, kept)


def _nobodys(error: Exception) -> Response:
    logger("gateway").exception("internal_error")
    return _ours(errors.RowcastError("Something went wrong here; the log has it under the request's id."))
