"""The one place that knows which error is which HTTP status; every error leaves as a problem document (RFC 9457)."""

import json
from typing import Any, NotRequired

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from api.closing import close_after
from rowcast import errors
from rowcast.logs import logger
from rowcast.problem import Problem, problem

STATUS: dict[type[errors.RowcastError], tuple[int, str]] = {
    errors.Unreadable: (400, "Unreadable request"),
    errors.NoKey: (401, "Unauthorized"),
    errors.Forbidden: (403, "Forbidden"),
    errors.NotFound: (404, "Not found"),
    errors.NotAcceptable: (406, "Not acceptable"),
    errors.WrongState: (409, "Wrong state"),
    errors.Gone: (410, "Gone"),
    errors.TooLarge: (413, "Too large"),
    errors.UnsupportedType: (415, "Unsupported type"),
    errors.Unprocessable: (422, "Unprocessable request"),
    errors.RateLimited: (429, "Too many requests"),
    errors.ResultLost: (500, "Result lost"),
    errors.ModelRefused: (500, "Model refused"),
    errors.Unavailable: (503, "Unavailable"),
}
"""An error's status is that of its nearest ancestor here."""


class HttpProblem(Problem):
    """What went wrong with a request. `error` is a failed job's own problem; `job` the job that a row was made."""

    request_id: str
    error: NotRequired[Problem]
    job: NotRequired[str]


def register(app: Flask) -> None:
    """Sends every error of ours, of Flask's and of nobody's through one form."""
    app.register_error_handler(errors.RowcastError, _ours)
    app.register_error_handler(HTTPException, _flasks)
    app.register_error_handler(Exception, _nobodys)


def status_of(error: errors.RowcastError) -> tuple[int, str]:
    """The HTTP status and title of an error."""
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), (500, "Internal error"))


def problem_response(document: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """The document as a response, with the request's id in it."""
    body = document | {"request_id": g.get("request_id", "")}
    response = Response(json.dumps(body), document["status"], headers, content_type="application/problem+json")
    if request.method in ("POST", "PUT", "PATCH"):
        close_after(response)
    return response


def _ours(error: errors.RowcastError) -> Response:
    status, title = status_of(error)
    document = problem(status, title, error.public, getattr(error, "errors", ()))
    if isinstance(error, errors.WrongState) and error.problem:
        document["error"] = dict(error.problem)
    if status >= 500:
        logger("gateway").warning("request_failed", reason=error.detail, status=status)
    return problem_response(document, _headers(error))


def _headers(error: errors.RowcastError) -> dict[str, str]:
    """What the status asks for beside the document."""
    headers = {}
    seconds = getattr(error, "retry_after_seconds", None)
    if seconds is not None:
        headers["Retry-After"] = str(seconds)
    if isinstance(error, errors.NoKey):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, errors.RateLimited):  # draft-ietf-httpapi-ratelimit-headers
        headers["RateLimit-Policy"] = f'"requests";q={error.limit};w=60'
        headers["RateLimit"] = f'"requests";r=0;t={seconds}'
    return headers


def _flasks(error: HTTPException) -> Response:
    status = error.code or 500
    kept = {name: value for name, value in error.get_headers() if name in ("Allow", "Content-Range", "Retry-After")}
    return problem_response(problem(status, error.name, error.description or error.name), kept)


def _nobodys(error: Exception) -> Response:
    logger("gateway").exception("internal_error")
    return problem_response(
        problem(500, "Internal error", "Something went wrong here; the log has it under the request's id.")
    )
