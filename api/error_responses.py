"""The only module that maps errors to HTTP statuses. Every error is sent as a problem document (RFC 9457)."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any, NotRequired, cast

from flask import Flask, Response, g, request
from typing_extensions import TypedDict
from werkzeug.exceptions import HTTPException

from api.output.early_response import close_after
from api.url_prefix import prefix
from rowcast import errors
from rowcast.logs import logger
from rowcast.problem import Problem, Recorded


class UnknownPath(errors.NotFound):
    """The service does not have this path."""

    slug = "unknown-path"
    title = "Unknown path"
    remedy = "Check the address; `/docs` lists all calls."


class UnknownMethod(errors.Refused):
    """The path exists, but does not support this HTTP method."""

    slug = "unknown-method"
    title = "Method not allowed"
    remedy = "Use a method that the header `Allow` of the response lists."


class RangeBeyondEnd(errors.Refused):
    """The `Range` begins beyond the end of the result."""

    slug = "range-beyond-end"
    title = "Range beyond the end"
    remedy = "`Content-Range` has the length of the result. If you have as many bytes, the download is complete."


class BadHttp(errors.Unreadable):
    """The request breaks the rules of HTTP, or its headers are too long."""

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
    errors.Drifted: 422,
    errors.RateLimited: 429,
    errors.NoReceiptKey: 501,
    errors.Unavailable: 503,
    errors.StillScoring: 504,
}
"""The status of an error is that of its nearest ancestor in this table."""

HELP = "/docs/errors#"
"""Path of the page about a type, to which the type's slug is added, for example `/docs/errors#no-key`."""

_OF_WERKZEUG: dict[int, type[errors.RowcastError]] = {404: UnknownPath, 405: UnknownMethod, 416: RangeBeyondEnd}

_DETAILS: dict[type[errors.RowcastError], str] = {
    UnknownPath: "Path not found: {path}.",
    UnknownMethod: "{path} does not support the method {method}.",
}
"""Messages that replace those of Werkzeug."""


_NOT_OVER_HTTP = (errors.BadSetting, errors.BadKeysFile, errors.BadReceiptKey, errors.UnusableRedis)
"""Errors that stop a program at its start. No HTTP caller ever sees them."""


class OpenAiError(TypedDict):
    """An error as OpenAI's clients read it."""

    #: The text of `detail`.
    message: str
    #: For example `invalid_request_error`.
    type: str
    #: Where the first of `errors` is.
    param: str | None
    #: The end of the problem's `type`, for example `unknown-file`.
    code: str


class HttpProblem(Problem):
    """What went wrong with a request. `error` is the problem of a failed job. `job` is the job that was waited for.

    Below `/v2`, `error` is the text of `detail`, and below `/v1` it is the error in OpenAI's form. Of `/invocations`,
    `message` is that text, and `error_code` is MLflow's code.
    """

    request_id: str
    error: NotRequired[Problem | OpenAiError | str]
    job: NotRequired[str]
    error_code: NotRequired[str]
    message: NotRequired[str]


def status_of(kind: type[errors.RowcastError]) -> int:
    """Returns the HTTP status of a class of errors."""
    return next(STATUS[ancestor] for ancestor in kind.__mro__ if ancestor in STATUS)


def public_types() -> dict[int, list[type[errors.RowcastError]]]:
    """Returns all types of errors that HTTP callers may see, by status; statuses and slugs are sorted."""
    kinds = [kind for kind in errors.types() if kind not in _NOT_OVER_HTTP]
    by_status: dict[int, list[type[errors.RowcastError]]] = {}
    for kind in sorted(kinds, key=lambda kind: (status_of(kind), kind.slug)):
        by_status.setdefault(status_of(kind), []).append(kind)
    return by_status


def problem(recorded: Recorded | Mapping[str, Any], url_prefix: str) -> Problem:
    """Returns the whole problem document of an error, or of the error in a job's record.

    Other members of `recorded` are kept. `url_prefix` is prepended to paths, for example `/rowcast`.
    """
    kind = _by_type().get(recorded["type"], errors.JobFault)
    document = {"type": recorded["type"], "title": kind.title, "status": status_of(kind), **recorded}
    return cast(Problem, document | {"help": url_prefix + HELP + kind.slug})


def register(app: Flask) -> None:
    """Registers a handler for our own errors, one for Flask's, and one for unexpected exceptions."""
    app.register_error_handler(errors.RowcastError, _handle_own)
    app.register_error_handler(HTTPException, _handle_flask)
    app.register_error_handler(Exception, _handle_unexpected)


def problem_response(document: Mapping[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Returns a response with the document, to which the request's id is added."""
    body = {**document, "request_id": g.get("request_id", "")}
    response = Response(json.dumps(body), document["status"], headers, content_type="application/problem+json")
    if request.method in ("POST", "PUT", "PATCH"):
        close_after(response)
    return response


@cache
def _by_type() -> dict[str, type[errors.RowcastError]]:
    return {kind.problem_type(): kind for kind in errors.types()}


def _handle_own(error: errors.RowcastError) -> Response:
    document: dict[str, Any] = dict(problem(error.recorded(), prefix()))
    if isinstance(error, errors.WrongState) and error.problem:
        document["error"] = problem(error.problem, prefix())
    if document["status"] >= 500:
        logger("gateway").warning("request_failed", reason=error.detail, status=document["status"], type=error.slug)
    return problem_response(document, _headers(error))


def _headers(error: errors.RowcastError) -> dict[str, str]:
    """Returns the headers that belong to the error."""
    headers = {}
    if error.retry_after_seconds is not None:
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, errors.WrongOffset):
        headers["Upload-Offset"] = str(error.offset)
    if isinstance(error, errors.NoKey):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.RateLimited):  # draft-ietf-httpapi-ratelimit-headers
        headers["RateLimit-Policy"] = f'"requests";q={error.limit};w=60'
        headers["RateLimit"] = f'"requests";r=0;t={error.retry_after_seconds}'
    return headers


def _handle_flask(error: HTTPException) -> Response:
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Content-Range", "Retry-After")}
    kind = _OF_WERKZEUG.get(error.code or 500, BadHttp)
    detail = _DETAILS.get(kind, error.description or error.name).format(method=request.method, path=request.path[:200])
    document = problem(kind(detail).recorded(), prefix())
    return problem_response({**document, "status": error.code or 500}, kept)


def _handle_unexpected(error: Exception) -> Response:
    logger("gateway").exception("internal_error")
    return _handle_own(
        errors.RowcastError("Internal error. The gateway's log has the cause under the `request_id` of this response.")
    )
