"""The client's errors: a class for each kind of problem. Below these, `problems.py` has one for each type of problem.

ClientError                 the root; `type` is the stable type of the problem, and `problem` the service's problem
│                           document (RFC 9457), if there is one
├── WrongUse                the call cannot be made, for example because of a bad address
├── Refused                 the service understood the request and refused it (4xx)
│   ├── BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · Conflict 409 · Gone 410
│   └── TooLarge 413 · UnsupportedType 415 · Unprocessable 422 · RateLimited 429
├── ServiceError            the service failed (5xx)
│   └── Unavailable         502, 503, 504: try again later
├── Unreachable             no answer: no program listens there, or the connection broke.
├── BrokenTransfer          a download broke off and cannot be resumed.
├── NoResult                the job ended without a result.
│   ├── JobFailed
│   └── JobCancelled
└── StillRunning            the job has not ended in the time given; also a `TimeoutError`
"""

from collections.abc import Mapping
from typing import Any


class ClientError(Exception):
    """The root of all errors that the client raises on purpose."""

    def __init__(
        self,
        detail: str,
        problem: Mapping[str, Any] | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problem = dict(problem or {})
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> int | None:
        """The HTTP status; None if the service did not answer."""
        return self.problem.get("status")

    @property
    def type(self) -> str | None:
        """The stable type of the problem, for example `urn:rowcast:problem:missing-columns`; None if there is none.

        `docs/errors.md` lists every type with its cause and its remedy.
        """
        return self.problem.get("type")

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Each fault of a refused request, for example `{"where": "header.age", "message": "missing"}`."""
        return list(self.problem.get("errors") or [])


class WrongUse(ClientError, ValueError):
    """The call cannot be made; no request was sent."""


class Refused(ClientError):
    """The service understood the request and refused it."""


class BadRequest(Refused):
    """400: the service could not read the request."""


class Unauthorized(Refused):
    """401: the API key is missing or wrong."""


class Forbidden(Refused):
    """403: the API key is not allowed to do this."""


class NotFound(Refused):
    """404: there is no such job or model."""


class Conflict(Refused):
    """409: the state of the job does not allow this."""


class Gone(Refused):
    """410: the job was deleted, or its files have expired."""


class TooLarge(Refused):
    """413: the request exceeds one of the service's limits."""


class UnsupportedType(Refused):
    """415: the service does not accept the content type or encoding."""


class Unprocessable(Refused):
    """422: columns, values or options are wrong. `errors` lists each fault."""


class RateLimited(Refused):
    """429: too many requests. Raised after the client has retried for as long as `Patience` allows."""


class ServiceError(ClientError):
    """5xx: the service failed."""


class Unavailable(ServiceError):
    """502, 503, 504: Redis, the store or the gateway cannot be reached, or the queue is full."""


class Unreachable(ClientError):
    """No answer: no program listens there, the host name is unknown, or the connection broke."""


class BrokenTransfer(ClientError):
    """A download broke off and cannot be resumed: the file has changed, or the output cannot be rewound."""


class NoResult(ClientError):
    """The job ended without a result."""

    def __init__(self, job: Any, detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail, problem)
        #: The `Job` or `AsyncJob`.
        self.job = job


class JobFailed(NoResult):
    """The job failed. The detail is that of the job's error."""


class JobCancelled(NoResult):
    """The job was cancelled."""


class StillRunning(ClientError, TimeoutError):
    """The job has not ended in the time given. It is still running."""

    def __init__(self, job: Any, detail: str) -> None:
        super().__init__(detail)
        #: The `Job` or `AsyncJob`.
        self.job = job


BY_STATUS: dict[int, type[ClientError]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    415: UnsupportedType,
    422: Unprocessable,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""The error of each HTTP status. All other statuses are `Refused` (4xx) or `ServiceError`."""

TRANSIENT = (RateLimited, Unavailable, Unreachable)
"""Errors that may pass. The client retries after them if the request is safe to repeat."""
