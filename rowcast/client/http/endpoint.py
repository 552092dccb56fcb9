"""Endpoint: one service's address, key and limits. Makes requests and checks responses, and does no I/O."""

import math
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property, partial
from numbers import Integral, Real
from time import time
from typing import Any

import httpx

from rowcast.client.errors import BY_STATUS, ClientError, Refused, ServiceError, Unreachable, WrongUse
from rowcast.client.errors.problem_types import BY_TYPE
from rowcast.client.http.retries import Patience, Retries, with_retries
from rowcast.client.http.steps import Send, SendUpload, Steps
from rowcast.client.upload import Upload
from rowcast.loopback import is_loopback
from rowcast.version import VERSION

DEFAULT_URL = "http://127.0.0.1:5000"
TIMEOUT_SECONDS = 30.0
_CONNECT_SECONDS = 5.0
_COMMIT_SECONDS = 300.0
"""How long the answer to an upload may take after its last byte, because the gateway still has to store the file."""


class Endpoint:
    """Makes the steps of requests to one service. Every failure becomes a `ClientError`."""

    def __init__(
        self,
        url: str,
        api_key: str | None,
        *,
        timeout_seconds: float = TIMEOUT_SECONDS,
        max_retries: int | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.url = _checked_url(url)
        if not _is(timeout_seconds, Real) or not 0 < timeout_seconds < math.inf:
            raise WrongUse(f"timeout is {timeout_seconds!r}; give a number of seconds above 0, for example 30.")
        if max_retries is not None and (not _is(max_retries, Integral) or max_retries < 0):
            raise WrongUse(
                f"max_retries is {max_retries!r}; give 0 for no retry, or None for no limit of their number."
            )
        self._headers = {"User-Agent": f"rowcast/{VERSION}"}
        if patience is not None and not isinstance(patience, Patience):
            raise WrongUse(f"patience is {patience!r}; give for example Patience(seconds=600).")
        if api_key:
            self._headers["Authorization"] = f"Bearer {_checked_key(api_key)}"
        self._timeout_seconds, self._max_retries = timeout_seconds, max_retries
        self._patience = patience or Patience()
        self._answered = False

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: bytes | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 0,
    ) -> Steps[dict[str, Any]]:
        """Sends one request and returns the JSON object in the response; `{}` if it has no content (204).

        The request is repeated after errors that may pass.

        Args:
            method: the HTTP method.
            path: the path below the service's address, for example `/jobs`.
            params: the query parameters.
            json: the body as encoded JSON.
            content: the body, if it is not JSON; `headers` has its type.
            headers: headers besides those of every request.
            wait_seconds: how long the service may hold the response; it is added to the time limit.
        """
        all_headers = {**(headers or {}), **({"Content-Type": "application/json"} if json else {})}
        timeout = self.timeout(wait_seconds=wait_seconds)
        step = Send(method, self.url + path, params, json or content, all_headers, timeout)
        return with_retries(partial(self._object_for, step), self.retries())

    def response(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Steps[httpx.Response]:
        """Sends one request without a body and returns the response, for calls whose answer is in its headers.

        The request is repeated after errors that may pass.
        """
        step = Send(method, self.url + path, params, None, headers or {}, self.timeout())
        return with_retries(partial(self._response_to, step), self.retries())

    def upload(
        self, path: str, upload: Upload, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> Steps[dict[str, Any]]:
        """Posts a body as a stream and returns the JSON object in the response.

        The request is repeated only if the body can be read again from its start.
        """
        all_headers = {**headers, **upload.headers}
        step = SendUpload("POST", self.url + path, upload, 0, params, all_headers, self._upload_timeout())
        once = partial(self._object_for, step)
        return with_retries(once, self.retries()) if upload.repeatable else once()

    def upload_rest(self, path: str, upload: Upload, start: int) -> Steps[dict[str, Any]]:
        """Sends a resumable upload from the byte `start` to its end, once; returns the JSON object in the response."""
        headers = {
            "Content-Type": "application/partial-upload",
            "Content-Length": str((upload.length_bytes or 0) - start),
            "Upload-Offset": str(start),
            "Upload-Complete": "?1",
        }
        return self._object_for(
            SendUpload("PATCH", self.url + path, upload, start, {}, headers, self._upload_timeout())
        )

    def _response_to(self, step: Send | SendUpload) -> Steps[httpx.Response]:
        answer: httpx.Response = yield step
        return self.checked(answer)

    def _object_for(self, step: Send | SendUpload) -> Steps[dict[str, Any]]:
        return _json_object((yield from self._response_to(step)))

    def _upload_timeout(self) -> httpx.Timeout:
        return self.timeout(max(_COMMIT_SECONDS, self._timeout_seconds))

    def timeout(self, seconds: float | None = None, *, wait_seconds: float = 0) -> httpx.Timeout:
        """Returns the time limits of a request. Its answer may take `seconds`, or the `timeout` of the client.

        `wait_seconds` is added to that: how long the service may hold the response.
        """
        longest = (self._timeout_seconds if seconds is None else seconds) + wait_seconds
        return httpx.Timeout(longest, connect=min(_CONNECT_SECONDS, self._timeout_seconds))

    def retries(self) -> Retries:
        """Returns the retries of a new call."""
        return Retries(self._patience_seconds, self._max_retries)

    def _patience_seconds(self) -> float:
        return self._patience.seconds if self._answered else self._patience.first_contact_seconds

    def checked(self, answer: httpx.Response) -> httpx.Response:
        """Returns the response.

        Raises:
            ClientError: its status is an error.
        """
        self._answered = True
        if answer.is_success:
            return answer
        raise _error(answer)

    @contextmanager
    def http_errors(self, elsewhere: str | None = None) -> Iterator[None]:
        """Raises `Unreachable` if a request in the block gets no answer. `elsewhere` is the URL of another server."""
        try:
            yield
        except httpx.TransportError as error:
            if elsewhere:
                reason = str(error) or type(error).__name__
                raise Unreachable(f"The bucket at {httpx.URL(elsewhere).host} cannot be reached: {reason}") from None
            raise self._unreachable(error) from None

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        reason = re.sub(r"^\[Errno -?\d+\] ", "", str(error)).rstrip(".") or type(error).__name__
        reason = reason.replace("All connection attempts failed", "Connection refused")  # asyncio's words for it
        if "WRONG_VERSION_NUMBER" in reason:  # OpenSSL's words for a response that is not TLS
            return Unreachable(f"{self.url} does not speak HTTPS. Use http:// if the service has no certificate.")
        sentence = f"{self.url} cannot be reached: {reason}."
        is_missing = isinstance(error, httpx.ConnectError) and is_loopback(httpx.URL(self.url).host)
        return Unreachable(f"{sentence} Start a service with `rowcast up`." if is_missing else sentence)

    def options(self, limits: httpx.Limits) -> dict[str, Any]:
        """Returns the arguments of an `httpx.Client` or `httpx.AsyncClient`."""
        return {
            "headers": self._headers,
            "timeout": self.timeout(),
            "limits": limits,
            "verify": self._tls,
            "trust_env": not is_loopback(httpx.URL(self.url).host),  # a proxy cannot reach this machine's loopback
        }

    def options_elsewhere(self, url: str) -> dict[str, Any]:
        """Returns the same for another server, which never gets the API key."""
        return {
            "headers": {"User-Agent": self._headers["User-Agent"]},
            "verify": _tls_of(url),
            "trust_env": not is_loopback(httpx.URL(url).host),
        }

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The TLS settings. Loading certificates takes longer than a prediction, so plain HTTP does without them."""
        return _tls_of(self.url)


def _tls_of(url: str) -> ssl.SSLContext:
    return httpx.create_ssl_context() if url.startswith("https:") else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def address_and_key(url: str | None, api_key: str | None) -> tuple[str, str | None]:
    """Returns both, those that are not given from the environment's ROWCAST_URL and ROWCAST_API_KEY."""
    return url or os.environ.get("ROWCAST_URL") or DEFAULT_URL, api_key or os.environ.get("ROWCAST_API_KEY") or None


def _error(answer: httpx.Response) -> ClientError:
    """Returns the error for a response with a status of 300 or above."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):  # for example a proxy's page; only its status is reliable
        wrong_url = f"{answer.url.copy_with(query=None)} is not a path of Rowcast (404); check the URL."
        problem = {"title": wrong_url if answer.status_code == httpx.codes.NOT_FOUND else answer.reason_phrase}
    problem.setdefault("status", answer.status_code)
    of_status = BY_STATUS.get(answer.status_code) or (ServiceError if answer.is_server_error else Refused)
    of_type = BY_TYPE.get(str(problem.get("type")), of_status)
    kind = of_type if issubclass(of_type, of_status) else of_status
    said = problem.get("detail") or problem.get("title") or ""
    return kind(
        said or f"The service answered with status {answer.status_code}.", problem, _retry_after_seconds(answer)
    )


def _retry_after_seconds(answer: httpx.Response) -> float | None:
    """Returns `Retry-After` in seconds (RFC 9110 §10.2.3: a number or a date); None if it is missing or malformed."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time()) if value else None
    except ValueError:
        return None


def _is(value: object, kind: type) -> bool:
    """Returns whether the value is of this abstract kind of numbers, which those of numpy are, too."""
    return isinstance(value, kind)


def checked_seconds(seconds: float) -> float:
    """Returns a number of seconds to wait.

    Raises:
        WrongUse: it is not a number.
    """
    if not _is(seconds, Real) or math.isnan(seconds):
        raise WrongUse(f"The time to wait is {seconds!r}; give a number of seconds, or None for no limit.")
    return seconds


def _checked_key(key: str) -> str:
    """Returns the API key. Line ends around it, as a file of a secret may have them, do not belong to it."""
    stripped = str(key).strip()
    if not (stripped.isascii() and stripped.isprintable()):
        raise WrongUse("The API key has a character that keys do not have; give it as `rowcast keys new` printed it.")
    return stripped


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise WrongUse(f"{url!r} is not a URL ({error}); use for example http://127.0.0.1:5000") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        example = "http://127.0.0.1:5000" if "/" in url else f"http://{url.strip()}"
        raise WrongUse(f"{url!r} is not an HTTP URL; use for example {example}")
    if parsed.query or parsed.fragment:
        raise WrongUse(
            f"{url!r} has more than an address; use for example {parsed.copy_with(query=None, fragment=None)}"
        )
    return str(parsed).rstrip("/")


def _json_object(answer: httpx.Response) -> dict[str, Any]:
    """Returns the JSON object in a response.

    Raises:
        ServiceError: the body is not a JSON object, so the server is not Rowcast.
    """
    if answer.status_code == httpx.codes.NO_CONTENT:
        return {}
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ServiceError(f"{answer.url.copy_with(query=None)} did not answer as Rowcast does; check the URL.")
    return value
