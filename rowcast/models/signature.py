"""The signature of a manifest: HMAC-SHA256 by the operator's key, where others can write to the registry."""

import hmac
import json

from rowcast.models.model_manifest import Manifest


def signed(manifest: Manifest, key: str) -> Manifest:
    """The manifest with its signature by `key`."""
    # Read back from JSON, because only there does every field stand that a reader of the file will see.
    whole = Manifest.model_validate_json(manifest.model_dump_json())
    return whole.model_copy(update={"signature": _sign(whole, key)})


def is_signed(manifest: Manifest, key: str) -> bool:
    """Whether the manifest carries a valid signature by `key`; its time tells nothing of the right one."""
    return manifest.signature is not None and hmac.compare_digest(
        manifest.signature.encode(), _sign(manifest, key).encode()
    )


def _sign(manifest: Manifest, key: str) -> str:
    return hmac.digest(key.encode(), _canonical(manifest), "sha256").hex()


def _canonical(manifest: Manifest) -> bytes:
    """The signed bytes: sorted JSON without blanks of the fields that the file holds.

    Fields that the file does not hold are left out, so that a field added by a later release does not
    invalidate the signatures of older models.
    """
    content = manifest.model_dump(mode="json", exclude={"signature"}, exclude_unset=True)
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
