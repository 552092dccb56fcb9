"""What can go wrong for a client, one type for each kind of problem.

ClientError                 the root; `problem` is the service's problem document (RFC 9457), if there is one, and
│                           `type` its stable type, finer than the classes here
├── WrongUse                the call cannot be made: a bad address, a file opened as text
├── Refused                 the service understood and said no (4xx)
│   ├── BadRequest 400 · Unauthorized 401 · Forbidden 403 · NotFound 404 · Conflict 409 · Gone 410
│   └── TooLarge 413 · UnsupportedType 415 · Unprocessable 422 · RateLimited 429
├── ServiceError            the service failed (5xx)
│   └── Unavailable         502, 503, 504: come back later
├── Unreachable             no answer at all: nothing listens there, or the connection broke
├── BrokenTransfer          a download that broke off and cannot be taken up again
├── JobEnded                the job has no result
│   ├── JobFailed
│   └── JobCancelled
└── StillRunning            the time given to wait is up; also a `TimeoutError`
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rowcast.client.job import Job


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
        """The HTTP status, where the service answered."""
        return self.problem.get("status")

    @property
    def type(self) -> str | None:
        """The stable type of the problem, like `urn:rowcast:problem:missing-columns`; None if the service gave none.

        `docs/errors.md` lists every type with its cause and what to do.
        """
        return self.problem.get("type")

    @property
    def errors(self) -> list[dict[str, Any]]:
        """Each fault of a refused request as `{"where": ..., "message": ...}`."""
        return list(self.problem.get("errors") or [])


class WrongUse(ClientError, ValueError):
    """The call cannot be made as it was asked for; nothing was sent."""


class Refused(ClientError):
    """The service understood the request and said no."""


class BadRequest(Refused):
    """400: the service could not read the request."""


class Unauthorized(Refused):
    """401: no key, or a wrong one."""


class Forbidden(Refused):
    """403: the key may not do this."""


class NotFound(Refused):
    """404: there never was such a job or model."""


class Conflict(Refused):
    """409: the job is not in a state for this."""


class Gone(Refused):
    """410: the job's files have expired, or it was deleted."""


class TooLarge(Refused):
    """413: over one of the service's limits."""


class UnsupportedType(Refused):
    """415: a content type or encoding that the service does not take."""


class Unprocessable(Refused):
    """422: readable but wrong: columns, values, options. `errors` lists each fault."""


class RateLimited(Refused):
    """429: too many requests; raised once the client has waited as long as it may."""


class ServiceError(ClientError):
    """5xx: the service failed."""


class Unavailable(ServiceError):
    """502, 503, 504: Redis, the store or the gateway is away, or the queue is full."""


class Unreachable(ClientError):
    """No answer came: nothing listens there, the name is unknown, or the connection broke."""


class BrokenTransfer(ClientError):
    """A download broke off and cannot go on: the file has changed, or the output cannot be rewound."""


class JobEnded(ClientError):
    """The job ended without a result; `job` is it."""

    def __init__(self, job: "Job", detail: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail, problem)
        self.job = job


class JobFailed(JobEnded):
    """The job failed; the detail is its own error's."""


class JobCancelled(JobEnded):
    """The job was cancelled."""


class StillRunning(ClientError, TimeoutError):
    """The time given to wait is up and `job` has not ended; it goes on."""

    def __init__(self, job: "Job", detail: str) -> None:
        super().__init__(detail)
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
"""The one place that knows which status is which error; others are `Refused` (4xx) or `ServiceError`."""

TRANSIENT = (RateLimited, Unavailable, Unreachable)
"""What may go away by itself, and is tried again where that is safe."""
