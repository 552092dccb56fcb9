"""A bucket (S3, Azure Blob, GCS): how it is opened, how long a call waits for it, and what its errors mean."""

import os
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple, cast

import obstore
from obstore import sign
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import ObjectStore, from_url

from rowcast.errors import StoreRefuses, StoreUnavailable

if TYPE_CHECKING:
    from obstore import SignCapableStore, UpdateVersion
    from obstore.store import ClientConfig, RetryConfig

SILENT_SECONDS = 15.0
"""How long an attempt waits for the next byte. An object that is written has to be sent in that time."""

RETRY_SECONDS = 25.0
"""How long after its begin a call is tried again. So a bucket that hangs costs two attempts: with the call for the
chunk's rows and the one for its part, less than the time that a chunk has."""

_ATTEMPT_SECONDS = 60
"""How long an attempt may take in all, if bytes keep coming."""

RETRIES = 10
"""How often a call is tried again, with growing pauses: two to eight seconds in all if each attempt fails at once."""

_MOST_PAUSE_SECONDS = 3

_PREFIXES = {"s3": "AWS", "s3a": "AWS", "az": "AZURE", "azure": "AZURE", "abfs": "AZURE", "abfss": "AZURE"}
_CLIENT_OPTIONS = (
    "ALLOW_HTTP", "ALLOW_INVALID_CERTIFICATES", "CONNECT_TIMEOUT", "HTTP1_ONLY", "HTTP2_ONLY", "POOL_IDLE_TIMEOUT",
    "POOL_MAX_IDLE_PER_HOST", "PROXY_CA_CERTIFICATE", "PROXY_EXCLUDES", "PROXY_URL", "READ_TIMEOUT",
    "ROOT_CERTIFICATE", "TIMEOUT", "USER_AGENT",
)  # fmt: skip
"""What may stand behind `AWS_`, `AZURE_` or `GOOGLE_` to change how HTTP is spoken (`obstore.store.ClientConfig`)."""

_NEW_CREDENTIALS = (
    "Set new credentials in the environment and start the programs again. A role of the machine or of the service "
    "account (docs/storage.md) is renewed by itself."
)


class _Fault(NamedTuple):
    """What is wrong with a bucket, what an operator can do, and the error that says so."""

    public: str
    remedy: str = ""
    kind: type[StoreUnavailable] = StoreRefuses


_EXPIRED = _Fault("The credentials for the store have expired", _NEW_CREDENTIALS)
_REFUSED = _Fault("The store refuses the credentials of the service", _NEW_CREDENTIALS)
_NONE = _Fault("The service has no credentials for the store", _NEW_CREDENTIALS)
_CLOCK = _Fault("The store refuses the service because a clock is wrong", "Set the clock of this machine.")
_MISSING = _Fault("The bucket of the store does not exist", "Make it, or correct ROWCAST_STORE or ROWCAST_MODELS.")
_THROTTLED = _Fault("The store takes no more requests at the moment", kind=StoreUnavailable)
_AWAY = _Fault("The store cannot be reached, read or written", kind=StoreUnavailable)

_BY_CODE = {
    **dict.fromkeys(("ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"), _EXPIRED),
    **dict.fromkeys(("ContainerNotFound", "NoSuchBucket"), _MISSING),
    "RequestTimeTooSkewed": _CLOCK,
    **dict.fromkeys(
        (
            "AuthenticationFailed",
            "InvalidAccessKeyId",
            "InvalidAuthenticationInfo",
            "InvalidToken",
            "SignatureDoesNotMatch",
        ),
        _REFUSED,
    ),
    "SlowDown": _THROTTLED,
}
"""The codes of S3 and Azure whose meaning does not follow from the status."""

_CODE = re.compile(r"<Code>(\w+)</Code>")
_HAS_EXPIRED = re.compile(r"not valid in the specified time frame|token is expired", re.IGNORECASE)
"""What Azure says of a signature or a token that has expired, because its code is that of a wrong one, too."""

_NOT_ALLOWED = re.compile(r"status code: (401|403) ")
"""When objects are listed, obstore raises a generic error for these."""

_TOO_MANY = re.compile(r"status code: (429|503) ")
_ASKS_FOR_CREDENTIALS = re.compile(
    r"/latest/(api/token|meta-data)|/metadata/identity|metadata\.google\.internal|Error performing POST REDACTED"
)
"""Where obstore looks for credentials if the environment has none: a failure there is one of the credentials."""


def open_bucket(url: str) -> ObjectStore:
    """Opens the bucket that a URL names, with the credentials and settings of the environment."""
    limits = {"read_timeout": f"{SILENT_SECONDS:g}s", "timeout": f"{_ATTEMPT_SECONDS}s"}
    # Options that are passed replace those of the environment, so that they have to be read here.
    prefix = _PREFIXES.get(url.partition(":")[0], "GOOGLE")
    given = {name.lower(): value for name in _CLIENT_OPTIONS if (value := os.environ.get(f"{prefix}_{name}"))}
    retries: RetryConfig = {
        "max_retries": RETRIES,
        "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        "backoff": {"max_backoff": timedelta(seconds=_MOST_PAUSE_SECONDS)},
    }
    return from_url(url, client_options=cast("ClientConfig", limits | given), retry_config=retries)


def is_missing(error: Exception) -> bool:
    """Returns whether the bucket itself does not exist, which obstore reports as if the object did not."""
    return _BY_CODE.get(_code(error)) is _MISSING


def is_denied(error: Exception) -> bool:
    """Returns whether the service may not do this, although its credentials are valid as far as the error says."""
    return _is_not_allowed(error) and _code(error) not in _BY_CODE


def unavailable(place: str, error: Exception) -> StoreUnavailable:
    """Returns the error of a failed call: it says what is wrong, and in the log also what an operator can do."""
    fault, code = _fault(error), _code(error)
    public = f"{fault.public} ({code})." if code else f"{fault.public}."
    reason = str(error).split("\n\nDebug source", 1)[0].replace("\n", " ")
    detail = f"The store failed at {place}: {reason}"
    if fault.remedy:
        detail = f"{public} {fault.remedy} {detail}"
    return fault.kind(detail, public=public)


def _is_not_allowed(error: Exception) -> bool:
    return isinstance(error, PermissionDeniedError | UnauthenticatedError) or bool(_NOT_ALLOWED.search(str(error)))


def _fault(error: Exception) -> _Fault:
    text = str(error)
    if (known := _BY_CODE.get(_code(error))) is not None:
        return _EXPIRED if known is _REFUSED and _HAS_EXPIRED.search(text) else known
    if _is_not_allowed(error):
        return _REFUSED
    if _ASKS_FOR_CREDENTIALS.search(text):
        return _NONE
    return _THROTTLED if _TOO_MANY.search(text) else _AWAY


def _code(error: Exception) -> str:
    found = _CODE.search(str(error))
    return found[1] if found else ""


def presigned_urls(store: ObjectStore, keys: Sequence[str], seconds: int) -> list[str]:
    """Returns for each object a URL with which anyone can read it, until it expires."""
    return list(sign(cast("SignCapableStore", store), "GET", keys, timedelta(seconds=seconds)))


def swap(store: ObjectStore, key: str, expected: bytes, data: bytes) -> bool:
    """Writes an object if its content is `expected`, and returns whether it did (`If-Match` with its ETag)."""
    try:
        found = obstore.get(store, key)
        parts = {"e_tag": found.meta["e_tag"], "version": found.meta["version"]}
        version = cast("UpdateVersion", {name: part for name, part in parts.items() if part is not None})
        if found.bytes().to_bytes() != expected:
            return False
        obstore.put(store, key, data, mode=version, use_multipart=False)
    except (FileNotFoundError, AlreadyExistsError, PreconditionError):  # S3 answers 409 to two calls at the same time
        return False
    return True
