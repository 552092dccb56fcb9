"""Faults of a connection to Redis that only the operator can mend: a sentence for each, which names the fix."""

import re
from typing import NamedTuple

from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

RIGHTS = 'docs/security.md, "The user of Redis"'

_ACL_IN_SCRIPT = re.compile(
    r"(?:ACL failure in script: )?(.*?(?:no permissions|user executing the script can't).*?)(?: script: |$)",
    re.IGNORECASE,
)


class _Fault(NamedTuple):
    """What a message of OpenSSL or of a Sentinel means."""

    #: Matches the message.
    pattern: re.Pattern[str]
    #: What is wrong, and what to do.
    sentence: str


_FAULTS = [
    _Fault(re.compile(pattern, re.IGNORECASE), sentence)
    for pattern, sentence in (
        (
            r"hostname mismatch|ip address mismatch",
            "The certificate of Redis is not for the host in ROWCAST_REDIS_URL. Name the host as the certificate does, "
            "or give Redis a certificate for it.",
        ),
        (r"certificate has expired", "The certificate of Redis has expired. Give Redis a new one."),
        (
            r"certificate_verify_failed",
            "The certificate of Redis is not signed by a CA that this machine knows. Name the file of its CA in "
            "ROWCAST_REDIS_URL: ?ssl_ca_certs=FILE.",
        ),
        (
            r"certificate[_ ]required|handshake[_ ]failure",
            "Redis asks for a certificate of its client. Name it and its key in ROWCAST_REDIS_URL: "
            "?ssl_certfile=FILE&ssl_keyfile=FILE.",
        ),
        (
            r"unknown[_ ]ca|bad[_ ]certificate",
            "Redis does not accept the certificate that ssl_certfile names in ROWCAST_REDIS_URL. It must be signed by "
            "the CA in Redis' tls-ca-cert-file.",
        ),
        (
            r"wrong_version_number|record_layer_failure|unexpected_eof",
            "Redis does not speak TLS at this port. Name its tls-port in ROWCAST_REDIS_URL, or use redis://.",
        ),
        (
            r"No master found.*(?:Authentication required|WRONGPASS|invalid username-password|NOAUTH)",
            "The Sentinels refuse the login. Set sentinel_password (and sentinel_username) in ROWCAST_REDIS_URL.",
        ),
    )
]


def operators_fault(error: RedisError) -> str | None:
    """Returns what the operator has to correct. Returns None if the fault may go by itself."""
    text = str(error)
    script = _ACL_IN_SCRIPT.search(text)
    if script or isinstance(error, NoPermissionError):
        known = (script[1] if script else text).rstrip(".")
        remedy = f"Give its user the rights in {RIGHTS}; ACL LOG has more."
        return f"Redis does not allow what Rowcast needs: {known}. {remedy}"
    for fault in _FAULTS:
        if fault.pattern.search(text):
            return f"{fault.sentence} ({text})"
    if isinstance(error, AuthenticationError):
        return f"Redis refuses the user or the password in ROWCAST_REDIS_URL. Correct them there. ({text})"
    return None
