"""The key of a request: who calls, whose jobs it may see, and whether it calls too often."""

import re

from flask import g, request
from structlog.contextvars import bind_contextvars

from api.services import current_services
from rowcast.api_keys import Key, KeyRing, Role
from rowcast.errors import BadKeysFile, Forbidden, NoKey, UnknownKey
from rowcast.logs import logger

_OPEN = re.compile(r"/|/(health|ready|metrics|openapi\.json|docs|(docs|static)/.*)")
"""Paths that need no key: what probes ask, and files that are the same for everybody and hold nothing of anybody."""

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


def is_open(path: str) -> bool:
    """Whether a path needs no key."""
    return bool(_OPEN.fullmatch(path))


def admit() -> None:
    """Sets `g.owner`, under which jobs are made, and `g.scope`, the owner whose jobs alone are seen; None is all.

    Raises:
        NoKey, UnknownKey: the gateway has keys, and none of them came. RateLimited: this one came too often.
    """
    g.owner, g.scope = "", None
    services = current_services()
    if services.keys is None or is_open(request.path):
        return
    key = _caller(services.keys)
    g.owner = key.name
    g.scope = None if key.role is Role.ADMIN else key.name
    bind_contextvars(key=key.name)
    services.limiter.count(key.name)


def require_admin() -> None:
    """Passes admins, and everybody where the gateway is open.

    Raises:
        Forbidden: for users.
    """
    if g.scope is not None:
        raise Forbidden(f"The key {g.owner!r} has the role user; this takes an admin's.")


def _caller(keys: KeyRing) -> Key:
    try:
        if keys.refresh():
            logger("gateway").info("keys_read", keys=len(keys))
    except BadKeysFile as error:
        logger("gateway").error("keys_kept", reason=error.detail, keys=len(keys))
    secret = _secret()
    if secret is None:
        raise NoKey("This needs an API key: `Authorization: Bearer KEY`, or `X-API-Key: KEY`.")
    key = keys.holder(secret)
    if key is None:
        raise UnknownKey("The API key is not known here.")
    return key


def _secret() -> str | None:
    bearer = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return bearer[1] if bearer else request.headers.get("X-API-Key")
