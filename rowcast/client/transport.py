"""Transport: HTTP requests to one address with one API key. Every failure becomes a `ClientError`."""

import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from functools import cached_property
from time import time
from typing import Any

import httpx
from tenacity import RetryCallState

from rowcast.client.errors import BY_STATUS, ClientError, Refused, ServiceError, Unreachable, WrongUse
from rowcast.client.errors.problems import BY_TYPE
from rowcast.client.retries import Patience, call_with_retries
from rowcast.client.upload import Upload
from rowcast.loopback import is_loopback
from rowcast.version import VERSION

ANSWER_SECONDS = 30.0
"""How long one answer may take, if the caller does not say otherwise."""

_CONNECT_SECONDS = 5
_COMMIT_SECONDS = 300
"""How long the answer to an upload may take after its last byte, because the gateway still has to store the file."""


class Transport:
    """Sends requests, repeats those that are safe to repeat, and raises `ClientError`s."""

    def __init__(
        self, url: str, api_key: str | None, patience: Patience, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        self.url = _checked_url(url)
        self._answer_seconds = answer_seconds
        self._headers = {"User-Agent": f"rowcast/{VERSION}"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._patience = patience
        self._answered = False

    def close(self) -> None:
        """Closes the connections. The next request opens new ones."""
        for name in ("_http", "_uploads"):
            client = self.__dict__.pop(name, None)
            if client is not None:
                client.close()

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
        repeat: bool = True,
    ) -> httpx.Response:
        """Sends one request and reads the whole response.

        Args:
            method: the HTTP method.
            path: the path below the service's address, for example `/jobs`.
            params: the query parameters.
            json: the body as encoded JSON.
            content: the body, if it is not JSON; `headers` has its type.
            headers: headers besides those of every request.
            wait_seconds: how long the service may hold the response; it is added to the read timeout.
            repeat: whether the request may be sent again after an error that may pass.
        """
        request = self._http.build_request(
            method,
            self.url + path,
            params=params,
            content=json or content,
            headers={**(headers or {}), **({"Content-Type": "application/json"} if json else {})},
            timeout=httpx.Timeout(self._answer_seconds + wait_seconds, connect=_CONNECT_SECONDS),
        )

        def once() -> httpx.Response:
            with self._http_errors():
                return self._checked_response(self._http.send(request))

        return self._with_retries(once) if repeat else once()

    def upload(
        self, path: str, upload: Upload, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> httpx.Response:
        """Posts a body as a stream. It is repeated only if the body can be read again from its start."""

        def once() -> httpx.Response:
            watch = upload.watch()
            request = self._uploads.build_request(
                "POST",
                self.url + path,
                params=params,
                headers={**headers, **upload.headers},
                content=upload.blocks(watch),
                timeout=httpx.Timeout(max(_COMMIT_SECONDS, self._answer_seconds), connect=_CONNECT_SECONDS),
                extensions={"trace": watch.trace},
            )
            with self._http_errors():
                return self._checked_response(self._uploads.send(request))

        return self._with_retries(once) if upload.repeatable else once()

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """Makes one attempt at a GET and lets the caller read the body. A break while reading raises `Unreachable`."""
        with self._http_errors(), self._http.stream("GET", self.url + path, headers=headers) as answer:
            if answer.is_error:
                answer.read()
            yield self._checked_response(answer)

    def patience_seconds(self) -> float:
        """Returns how long failures are retried before they are raised."""
        return self._patience.seconds if self._answered else self._patience.first_contact_seconds

    def _with_retries(self, once: Callable[[], httpx.Response]) -> httpx.Response:
        def left(state: RetryCallState) -> float:
            return self.patience_seconds() - (state.seconds_since_start or 0)

        return call_with_retries(once, left)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """The TLS settings. Loading certificates takes longer than a prediction, so plain HTTP does without them."""
        secure = self.url.startswith("https:")
        return httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    @cached_property
    def _http(self) -> httpx.Client:
        return self._client(httpx.Limits())

    @cached_property
    def _uploads(self) -> httpx.Client:
        """A client that opens a connection for each upload, so that `EarlyResponse` can watch it."""
        return self._client(httpx.Limits(max_keepalive_connections=0))

    def _client(self, limits: httpx.Limits) -> httpx.Client:
        return httpx.Client(
            headers=self._headers,
            timeout=httpx.Timeout(self._answer_seconds, connect=_CONNECT_SECONDS),
            limits=limits,
            verify=self._tls,
            trust_env=not is_loopback(httpx.URL(self.url).host),  # a proxy cannot reach this machine's loopback
        )

    def _checked_response(self, answer: httpx.Response) -> httpx.Response:
        self._answered = True
        if answer.is_success:
            return answer
        raise _error(answer)

    def _unreachable(self, error: httpx.TransportError) -> str:
        sentence = f"{self.url} cannot be reached: {_without_number(error)}."
        is_missing = isinstance(error, httpx.ConnectError) and is_loopback(httpx.URL(self.url).host)
        return f"{sentence} Start a service with `rowcast up`." if is_missing else sentence

    @contextmanager
    def _http_errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise Unreachable(self._unreachable(error)) from None


def _without_number(error: Exception) -> str:
    """Returns the reason without the operating system's error number."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).rstrip(".") or type(error).__name__


def _error(answer: httpx.Response) -> ClientError:
    """Returns the error for a response with a status of 300 or above."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):  # for example a proxy's page; only its status is reliable
        problem = {"status": answer.status_code, "title": answer.reason_phrase}
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


def _checked_url(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise WrongUse(f"{url!r} is not a URL ({error}); use for example http://127.0.0.1:5000") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise WrongUse(f"{url!r} is not an HTTP URL; use for example http://127.0.0.1:5000")
    return str(parsed).rstrip("/")


def json_object(answer: httpx.Response) -> dict[str, Any]:
    """Returns the JSON object in a response.

    Raises:
        ServiceError: the body is not a JSON object, so the server is not Rowcast.
    """
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ServiceError(f"{answer.url.copy_with(query=None)} did not answer as Rowcast does; check the URL.")
    return value
