"""API keys of requests: they decide the owner of new jobs, the jobs that are visible, and the rate limit."""

import re

from flask import g, request
from structlog.contextvars import bind_contextvars

from api.services import current_services
from rowcast.api_keys import ApiKey, KeyRing, Role
from rowcast.errors import BadKeysFile, Forbidden, NoKey, OtherSite, UnknownKey
from rowcast.logs import logger

_OPEN = re.compile(r"/(health|ready|metrics|metrics/cluster|openapi\.json|llms\.txt|docs|docs\.md|(docs|static)/.*)")
"""Paths that need no API key: those of probes, and public files that contain nothing about users or jobs."""

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


def is_open(path: str) -> bool:
    """Returns whether a path needs no API key."""
    return bool(_OPEN.fullmatch(path))


def admit() -> None:
    """Checks the API key of the request, and sets `g.owner` and `g.scope`.

    `g.owner` is the owner of new jobs. `g.scope` is the owner whose jobs are visible, or None if all jobs are.

    Raises:
        NoKey: the gateway has API keys, and the request has none. UnknownKey: its key is not one of them.
        RateLimited: the key was used too often. OtherSite: a page of another site sent the request.
    """
    g.owner, g.scope = "", None
    _refuse_other_sites()
    services = current_services()
    if services.keys is None or is_open(request.path):
        return
    key = _caller(services.keys)
    g.owner = key.name
    g.scope = None if key.role is Role.ADMIN else key.name
    bind_contextvars(key=key.name)
    services.limiter.count(key.name)


def _refuse_other_sites() -> None:
    """Refuses what a page of another site has its reader's browser send. It could otherwise make and delete jobs.

    Raises:
        OtherSite: the browser says that another site sent it (W3C Fetch Metadata).
    """
    if request.method not in _SAFE_METHODS and request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise OtherSite("A page of another site sent this request. Open the page of this service, and send it there.")


def require_admin() -> None:
    """Returns if the caller is an admin, or if the gateway has no API keys.

    Raises:
        Forbidden: the caller's key has the role `user`.
    """
    if g.scope is not None:
        raise Forbidden(f"The API key {g.owner!r} has the role `user`. Only a key with the role `admin` may do this.")


def _caller(keys: KeyRing) -> ApiKey:
    try:
        if keys.refresh():
            logger("gateway").info("keys_read", keys=len(keys))
    except BadKeysFile as error:
        logger("gateway").error("key_file_reload_failed", reason=error.detail, keys=len(keys))
    secret = _secret()
    if secret is None:
        raise NoKey("This call needs an API key: send `Authorization: Bearer KEY` or `X-API-Key: KEY`.")
    key = keys.holder(secret)
    if key is None:
        raise UnknownKey("The service does not know this API key.")
    return key


def _secret() -> str | None:
    bearer = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return bearer[1] if bearer else request.headers.get("X-API-Key")
