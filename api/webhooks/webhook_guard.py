"""The guard against SSRF: which URLs a webhook may have, and which addresses a connection to it may go to.

A name is resolved when a request is made, so that its sender learns of a mistake, and again for each connection. The
connection goes to an address that was checked: between the check and the connection nothing is resolved again. So a
name whose address is changed in the meantime (DNS rebinding) leads nowhere else.
"""

from collections.abc import Iterable

import httpcore
import httpx

from api.webhooks.address_rules import refusal
from api.webhooks.name_resolution import NameResolver, NoAnswer, UnknownName
from rowcast.errors import WebhookRefused
from rowcast.settings import Settings

_DEFAULT_PORTS = {"http": 80, "https": 443}

_ADDRESSES_TRIED = 3
"""Addresses of one host to which a connection is tried."""

_CANNOT_SIGN = (
    "cannot be used, because this service has no key to sign webhooks with; its operator has to set "
    "ROWCAST_WEBHOOK_SECRET, for example to whsec_$(openssl rand -base64 32)"
)


class AddressRefused(Exception):
    """The host has an address that a webhook must not lead to. The message does not repeat the address."""


class WebhookGuard:
    """Checks URLs and addresses for these settings."""

    def __init__(self, settings: Settings) -> None:
        self._allows_private = settings.webhook_private
        self._can_sign = bool(settings.webhook_keys)
        self._resolver = NameResolver()

    def require_allowed(self, webhook: str) -> None:
        """Checks the option `webhook` of a request. If DNS gives no answer, the URL passes: each connection checks it.

        Raises:
            WebhookRefused: the URL is not valid, or the service must not call it.
        """
        if not self._can_sign:
            raise WebhookRefused.at("webhook", _CANNOT_SIGN)
        url = self.parse(webhook)
        try:
            self.checked_addresses(url.raw_host.decode(), port_of(url))
        except NoAnswer:
            return
        except UnknownName:
            raise WebhookRefused.at(
                "webhook", f"the host {_shown(url.host)} does not exist or has no address"
            ) from None
        except AddressRefused as error:
            remedy = "" if self._allows_private else ", or have the operator set ROWCAST_WEBHOOK_PRIVATE=true"
            message = f"the host {_shown(url.host)} {error}; use a host with public addresses only{remedy}"
            raise WebhookRefused.at("webhook", message) from None

    def parse(self, webhook: str) -> httpx.URL:
        """Returns the parts of a webhook's URL.

        Raises:
            WebhookRefused: it is not an absolute https URL; http is allowed with `ROWCAST_WEBHOOK_PRIVATE`.
        """
        try:
            url = httpx.URL(webhook)
        except (httpx.InvalidURL, UnicodeError):
            raise WebhookRefused.at("webhook", "is not a valid URL, for example https://example.org/hook") from None
        if url.scheme == "http" and not self._allows_private:
            message = "must begin with https://; http:// needs ROWCAST_WEBHOOK_PRIVATE=true"
            raise WebhookRefused.at("webhook", message)
        if url.scheme not in _DEFAULT_PORTS or not url.host:
            raise WebhookRefused.at("webhook", "must be an absolute URL that begins with https://")
        if not 1 <= port_of(url) <= 65_535:
            raise WebhookRefused.at("webhook", "has a port that does not exist; ports go from 1 to 65535")
        return url

    def checked_addresses(self, host: str, port: int) -> list[str]:
        """Resolves a host once, and returns its addresses if a webhook may lead to every one of them.

        Raises:
            AddressRefused: it has an address that is refused.
            UnknownName, NoAnswer: it cannot be resolved.
        """
        addresses = self._resolver.addresses(host, port)
        for address in addresses:
            kind = refusal(address, allows_private=self._allows_private)
            if kind is not None:
                raise AddressRefused(f"has {kind}" if kind.startswith("a") else f"has an address that is {kind}")
        return addresses


class GuardedBackend(httpcore.NetworkBackend):
    """Connects to checked addresses only. TLS still checks the certificate for the name of the host."""

    def __init__(self, guard: WebhookGuard) -> None:
        self._guard, self._backend = guard, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connects to the first address that takes the connection. Raises as `WebhookGuard.checked_addresses`, too."""
        first, *others = self._guard.checked_addresses(host, port)[:_ADDRESSES_TRIED]
        for other in others:
            try:
                return self._backend.connect_tcp(first, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                first = other
        return self._backend.connect_tcp(first, port, timeout, local_address, socket_options)


def port_of(url: httpx.URL) -> int:
    """Returns the port to connect to."""
    return _DEFAULT_PORTS[url.scheme] if url.port is None else url.port


def _shown(host: str) -> str:
    return repr(host[:253])
