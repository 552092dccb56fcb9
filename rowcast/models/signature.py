"""The signature of a manifest: HMAC-SHA256 with the operator's key, if others can write to the registry."""

import hmac
import json

from rowcast.models.model_manifest import Manifest


def signed(manifest: Manifest, key: str) -> Manifest:
    """Returns the manifest with its signature by `key`."""
    # Read back from JSON, because only then it has exactly the fields that a reader of the file will see.
    whole = Manifest.model_validate_json(manifest.model_dump_json())
    return whole.model_copy(update={"signature": _sign(whole, key)})


def is_signed(manifest: Manifest, key: str) -> bool:
    """Returns whether the manifest has a valid signature by `key`, in a time that does not depend on the difference."""
    return manifest.signature is not None and hmac.compare_digest(
        manifest.signature.encode(), _sign(manifest, key).encode()
    )


def _sign(manifest: Manifest, key: str) -> str:
    return hmac.digest(key.encode(), _canonical(manifest), "sha256").hex()


def _canonical(manifest: Manifest) -> bytes:
    """Returns the signed bytes: the fields in the file as sorted JSON without blanks.

    Fields that the file does not have are left out, so that a field of a later release does not invalidate the
    signatures of older models.
    """
    content = manifest.model_dump(mode="json", exclude={"signature"}, exclude_unset=True)
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
