"""The headers of a webhook: id, time and signature, as Standard Webhooks 1.0 describes them."""

import base64
import hashlib
import hmac
from collections.abc import Sequence


def signed_headers(keys: Sequence[bytes], id: str, timestamp_seconds: int, body: bytes) -> dict[str, str]:
    """Returns `webhook-id`, `webhook-timestamp` and `webhook-signature`, with a signature of each key.

    `timestamp_seconds` is the time of this attempt, in seconds since 1970, UTC. `id` has no full stop in it.
    """
    content = f"{id}.{timestamp_seconds}.".encode() + body
    signatures = (base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode() for key in keys)
    return {
        "webhook-id": id,
        "webhook-timestamp": str(timestamp_seconds),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
