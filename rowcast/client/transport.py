"""Transport: requests over one address and key; every failure becomes one of our errors."""

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
from rowcast.client.retries import Patience, retried
from rowcast.client.upload import Upload
from rowcast.loopback import is_loopback
from rowcast.version import VERSION

_TIMEOUT = httpx.Timeout(30, connect=5)
_COMMIT_SECONDS = 300
"""How long the answer to an upload may take after its last byte: the gateway still has to finish the file."""


class Transport:
    """Sends requests, tries again what is safe to try again, and raises `ClientError`s."""

    def __init__(self, url: str, api_key: str | None, patience: Patience) -> None:
        self.url = _checked(url)
        self._headers = {"User-Agent": f"rowcast/{VERSION}"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._patience = patience
        self._answered = False

    def close(self) -> None:
        """Closes the connections; the transport opens new ones when it is used again."""
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
        headers: Mapping[str, str] | None = None,
        wait_seconds: float = 0,
        repeat: bool = True,
    ) -> httpx.Response:
        """Sends one request and reads the whole answer.

        Args:
            method: the HTTP method.
            path: below the service's address.
            params: the query.
            json: the body, ready to send.
            headers: beside those that every request has.
            wait_seconds: how long the service was asked to hold the answer; the read timeout grows by it.
            repeat: whether it is safe to send the request again after a failure that may go away.
        """
        request = self._http.build_request(
            method,
            self.url + path,
            params=params,
            content=json,
            headers={**(headers or {}), **({"Content-Type": "application/json"} if json else {})},
            timeout=httpx.Timeout(_TIMEOUT.read + wait_seconds if _TIMEOUT.read else None, connect=5),
        )

        def once() -> httpx.Response:
            with self._http_errors():
                return self._judged(self._http.send(request))

        return self._again(once) if repeat else once()

    def upload(
        self, path: str, upload: Upload, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> httpx.Response:
        """Posts a body as a stream; again only where the body can be read again from its start."""

        def once() -> httpx.Response:
            watch = upload.watch()
            request = self._uploads.build_request(
                "POST",
                self.url + path,
                params=params,
                headers={**headers, **upload.headers},
                content=upload.blocks(watch),
                timeout=httpx.Timeout(_COMMIT_SECONDS, connect=5),
                extensions={"trace": watch.trace},
            )
            with self._http_errors():
                return self._judged(self._uploads.send(request))

        return self._again(once) if upload.repeatable else once()

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
        """One try of a GET whose body is read by the caller; a break while reading is `Unreachable`."""
        with self._http_errors(), self._http.stream("GET", self.url + path, headers=headers) as answer:
            if answer.is_error:
                answer.read()
            yield self._judged(answer)

    def patience_seconds(self) -> float:
        """How long a failure may last before it is the caller's."""
        return self._patience.seconds if self._answered else self._patience.first_contact_seconds

    def _again(self, once: Callable[[], httpx.Response]) -> httpx.Response:
        def left(state: RetryCallState) -> float:
            return self.patience_seconds() - (state.seconds_since_start or 0)

        return retried(once, left)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Reading the authorities takes longer than a prediction; a plain address needs none of them."""
        secure = self.url.startswith("https:")
        return httpx.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    @cached_property
    def _http(self) -> httpx.Client:
        return self._client(httpx.Limits())

    @cached_property
    def _uploads(self) -> httpx.Client:
        """A connection of its own for each upload, so that an early answer on it can be seen (see `EarlyResponse`)."""
        return self._client(httpx.Limits(max_keepalive_connections=0))

    def _client(self, limits: httpx.Limits) -> httpx.Client:
        return httpx.Client(
            headers=self._headers,
            timeout=_TIMEOUT,
            limits=limits,
            verify=self._tls,
            trust_env=not is_loopback(httpx.URL(self.url).host),  # no proxy reaches this machine's own loopback
        )

    def _judged(self, answer: httpx.Response) -> httpx.Response:
        self._answered = True
        if answer.is_success:
            return answer
        raise _error(answer)

    def _unreachable(self, error: httpx.TransportError) -> str:
        said = f"{self.url} cannot be reached: {_without_number(error)}"
        is_missing = isinstance(error, httpx.ConnectError) and is_loopback(httpx.URL(self.url).host)
        return f"{said}; start it with `rowcast up`." if is_missing else f"{said}."

    @contextmanager
    def _http_errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            raise Unreachable(self._unreachable(error)) from None


def _without_number(error: Exception) -> str:
    """The reason in words: without the number that the operating system gives it."""
    return re.sub(r"^\[Errno -?\d+\] ", "", str(error)).rstrip(".") or type(error).__name__


def _error(answer: httpx.Response) -> ClientError:
    """The error that an answer of status 300 and above stands for."""
    try:
        problem = answer.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):  # a proxy's page, say: its status is all that can be relied on
        problem = {"status": answer.status_code, "title": answer.reason_phrase}
    problem.setdefault("status", answer.status_code)
    kind = BY_STATUS.get(answer.status_code) or (ServiceError if answer.is_server_error else Refused)
    said = problem.get("detail") or problem.get("title") or ""
    return kind(said or f"The service answered {answer.status_code}.", problem, _retry_after_seconds(answer))


def _retry_after_seconds(answer: httpx.Response) -> float | None:
    """`Retry-After` in seconds (RFC 9110 §10.2.3: a number, or a date); None where there is none to be read."""
    value = answer.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time()) if value else None
    except ValueError:
        return None


def _checked(url: str) -> str:
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as error:
        raise WrongUse(f"{url!r} is no address: {error}") from None
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise WrongUse(f"{url!r} is no address: it takes one like http://127.0.0.1:5000")
    return str(parsed).rstrip("/")


def plain(answer: httpx.Response) -> dict[str, Any]:
    """The answer's JSON object.

    Raises:
        ServiceError: it is none, so whatever answered is not Rowcast.
    """
    try:
        value = answer.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise ServiceError(f"{answer.url.copy_with(query=None)} did not answer as Rowcast does.")
    return value
