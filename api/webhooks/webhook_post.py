"""One attempt: a POST to a webhook, within a bounded time, of whose answer little is read."""

import base64
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import gevent
import httpcore
import httpx

from api.webhooks.name_resolution import NoAnswer, UnknownName
from api.webhooks.webhook_guard import AddressRefused, GuardedBackend, WebhookGuard, port_of
from rowcast.errors import WebhookRefused
from rowcast.version import VERSION

ATTEMPT_SECONDS = 15.0
"""How long an attempt may take from the resolving of the name to the end of the answer."""

_CONNECT_SECONDS = 5.0
_MOST_READ_BYTES = 4096
"""Bytes of an answer's body that are read, so that a receiver with a short answer sees no broken connection."""

_GONE = 410


class PostOutcome(NamedTuple):
    """The outcome of an attempt."""

    #: HTTP status; None if there was no answer.
    status: int | None
    #: What went wrong, as a sentence without addresses; None if the status says it.
    error: str | None = None
    #: Pause that the receiver asks for, in seconds.
    retry_after_seconds: float = 0

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def is_final(self) -> bool:
        """Whether the receiver wants no further attempt: 410 Gone, as Standard Webhooks says."""
        return self.status == _GONE


class WebhookPost:
    """Makes attempts. The result says what went wrong, so nothing is raised."""

    def __init__(self, guard: WebhookGuard) -> None:
        self._guard = guard
        self._tls = httpx.create_ssl_context()  # honours SSL_CERT_FILE, as the client does

    def attempt(self, webhook: str, headers: Mapping[str, str], body: bytes) -> PostOutcome:
        """POSTs JSON to a URL. It must run in a greenlet of a process that gevent has patched: that bounds its time."""
        try:
            with gevent.Timeout(ATTEMPT_SECONDS, _TooSlow()):
                return self._post(self._guard.parse(webhook), headers, body)
        except _TooSlow:
            return PostOutcome(None, f"no complete answer within {ATTEMPT_SECONDS:g} seconds")
        except WebhookRefused as error:
            return PostOutcome(None, error.detail)
        except AddressRefused as error:
            return PostOutcome(None, f"the host {error}, and was not called")
        except (UnknownName, NoAnswer) as error:
            return PostOutcome(None, f"the host cannot be resolved: {error}")
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, OSError) as error:
            return PostOutcome(None, _fault(error))

    def _post(self, url: httpx.URL, headers: Mapping[str, str], body: bytes) -> PostOutcome:
        fields = {
            "Host": url.netloc.decode("ascii"),
            "Content-Type": "application/json",
            "Content-Length": str(len(body)),
            "User-Agent": f"Rowcast/{VERSION}",
            **_authorization(url),
            **headers,
        }
        target = httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=port_of(url), target=url.raw_path)
        limits = dict.fromkeys(("read", "write", "pool"), ATTEMPT_SECONDS) | {"connect": _CONNECT_SECONDS}
        with (
            httpcore.ConnectionPool(self._tls, max_connections=1, network_backend=GuardedBackend(self._guard)) as pool,
            pool.stream(
                "POST", target, headers=list(fields.items()), content=body, extensions={"timeout": limits}
            ) as response,
        ):
            read = 0
            for block in response.iter_stream():
                read += len(block)
                if read >= _MOST_READ_BYTES:
                    break
            return _answer(response)


class _TooSlow(Exception):
    """The time of an attempt is over."""


def _answer(response: httpcore.Response) -> PostOutcome:
    error = "redirects are not followed" if 300 <= response.status < 400 else None
    given = {name.lower(): value for name, value in response.headers}
    return PostOutcome(response.status, error, _retry_after(given.get(b"retry-after", b"").decode("latin-1")))


def _retry_after(text: str) -> float:
    """Returns the seconds of `Retry-After`, which has a number or a date (RFC 9110 section 10.2.3); 0 without one."""
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return 0
    return max((at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0)


def _authorization(url: httpx.URL) -> dict[str, str]:
    """Returns the header for a user name and password in the URL."""
    if not url.userinfo:
        return {}
    pair = f"{url.username}:{url.password}".encode()
    return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}


def _fault(error: Exception) -> str:
    """Returns in a sentence why there is no answer. It names no address."""
    cause = error.__cause__ or error.__context__ or error
    if isinstance(error, ssl.SSLCertVerificationError) or isinstance(cause, ssl.SSLCertVerificationError):
        reason = getattr(cause, "verify_message", "") or "it cannot be verified"
        return f"the certificate is not valid: {reason}"
    if isinstance(cause, ssl.SSLError):
        return "the receiver does not speak TLS as it should"
    if isinstance(error, httpcore.ConnectTimeout):
        return f"no connection within {_CONNECT_SECONDS:g} seconds"
    if isinstance(error, httpcore.ConnectError):
        return "the connection was refused"
    if isinstance(error, httpcore.ProtocolError):
        return "the answer is not HTTP, or the connection broke"
    return "the connection broke"
