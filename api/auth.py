"""API keys of requests: they decide the owner of new jobs, the jobs that are visible, and the rate limit."""

import re

from flask import Response, g, request
from structlog.contextvars import bind_contextvars

from api.services import current_services
from rowcast.api_keys import ApiKey, KeyRing, Scope
from rowcast.errors import BadKeysFile, ExpiredKey, Forbidden, NoKey, OtherSite, UnknownKey
from rowcast.logs import logger

_OPEN = re.compile(
    r"/(health|ready|ping|v2/health/(live|ready)|metrics|metrics/cluster|openapi\.json|llms\.txt|docs|docs\.md|(docs|static)/.*)"
)
"""Paths that need no API key: those of probes, and public files that contain nothing about users or jobs."""

_BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)


_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

_NEEDS = {
    "models.put_alias": Scope.MODELS,
    "models.put_shadow": Scope.MODELS,
    "models.delete_shadow": Scope.MODELS,
    "queue_state.pause": Scope.ADMIN,
    "queue_state.resume": Scope.ADMIN,
}
"""The scope that a view needs. Other views that change something need `predict`."""

_SENDS = frozenset({"predict", "resumable", "open_inference", "scoring_server", "web"}) | {
    "openai_files.create_file",
    "openai_batches.create_batch",
}
"""Blueprints whose views send rows and files, and views that do. An admin may use them as every user does."""


def is_open(path: str) -> bool:
    """Returns whether a path needs no API key."""
    return bool(_OPEN.fullmatch(path))


def admit() -> None:
    """Checks the API key of the request, and sets `g.owner` and `g.scope`.

    `g.owner` is the owner of new jobs. `g.scope` is the owner whose jobs the request is about, or None if it may be
    about all jobs.

    Raises:
        NoKey: the gateway has API keys, and the request has none. UnknownKey: its key is not one of them.
        ExpiredKey: its key has expired. Forbidden: the key lacks the scope that the call needs.
        RateLimited: the key was used too often. OtherSite: a page of another site sent the request.
    """
    g.owner, g.scope, g.key = "", None, None
    _refuse_other_sites()
    services = current_services()
    if services.keys is None or is_open(request.path):
        return
    key = _caller(services.keys)
    g.owner, g.key = key.name, key
    is_reading = request.method in _SAFE_METHODS
    g.scope = None if key.may(Scope.READ if is_reading else Scope.ADMIN) else key.name
    bind_contextvars(key=key.name)
    services.limiter.count(key.name)
    if not is_reading:
        _require(key, _NEEDS.get(request.endpoint or "", Scope.PREDICT))


def log_admin_act(response: Response) -> None:
    """Writes the audit line of a request that only an admin's key may make, or one with the scope `models`.

    The line is `admin_act`, with the name of the key, the act as the API names it, and its target.
    """
    key: ApiKey | None = g.get("key")
    if (
        key is None
        or request.method in _SAFE_METHODS
        or not request.url_rule
        or _SENDS & {request.blueprint, request.endpoint}
    ):
        return
    if g.scope is None or request.endpoint in _NEEDS:
        act = f"{request.method} {request.url_rule.rule.replace('<job:', '<')}"
        logger("gateway").info("admin_act", act=act, target=request.path, status=response.status_code)


def _refuse_other_sites() -> None:
    """Refuses what a page of another site has its reader's browser send. It could otherwise make and delete jobs.

    Raises:
        OtherSite: the browser says that another site sent it (W3C Fetch Metadata).
    """
    if request.method not in _SAFE_METHODS and request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise OtherSite("A page of another site sent this request. Open the page of this service, and send it there.")


def _require(key: ApiKey, scope: Scope) -> None:
    if not key.may(scope):
        raise Forbidden(
            f"The API key {key.name!r} has the role `{key.role}`. Only a key with the scope `{scope}` or the role "
            "`admin` may do this."
        )


def _caller(keys: KeyRing) -> ApiKey:
    try:
        if changes := keys.refresh():
            logger("gateway").info("keys_read", keys=len(keys), **changes)
    except BadKeysFile as error:
        logger("gateway").error("key_file_reload_failed", reason=error.detail, keys=len(keys))
    secret = _secret()
    if secret is None:
        raise NoKey("This call needs an API key: send `Authorization: Bearer KEY` or `X-API-Key: KEY`.")
    key = keys.holder(secret)
    if key is None:
        raise UnknownKey("The service does not know this API key.")
    if key.has_expired():
        bind_contextvars(key=key.name)
        raise ExpiredKey(f"The API key {key.name!r} was valid until {key.expires} (UTC).")
    return key


def _secret() -> str | None:
    bearer = _BEARER.fullmatch(request.headers.get("Authorization", ""))
    return bearer[1] if bearer else request.headers.get("X-API-Key")
