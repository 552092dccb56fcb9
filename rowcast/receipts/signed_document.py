"""A JSON document with its signature: Ed25519 (RFC 8032) over its canonical form (RFC 8785) without `signature`."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rowcast.errors import RowcastError
from rowcast.receipts.key_files import PublicKey, SigningKeys


class NotReceipt(RowcastError):
    """The document that was given is not a receipt."""


def sign(document: Mapping[str, Any], keys: SigningKeys) -> dict[str, Any]:
    """Returns the document with `key_id` and `signature` (hexadecimal) as further members.

    Raises:
        rfc8785.CanonicalizationError: JSON cannot express a value of it exactly.
    """
    named = {**document, "key_id": keys.public[0].id}
    return {**named, "signature": keys.private.sign(canonical(named)).hex()}


def is_signed_by(document: Mapping[str, Any], key: PublicKey) -> bool:
    """Returns whether the document is, member for member, what the owner of the key signed."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from rfc8785 import CanonicalizationError

    signature = document.get("signature")
    try:
        Ed25519PublicKey.from_public_bytes(key.raw).verify(bytes.fromhex(signature), canonical(document))  # type: ignore[arg-type]
    except (InvalidSignature, CanonicalizationError, ValueError, TypeError):
        return False
    return True


def canonical(document: Mapping[str, Any]) -> bytes:
    """Returns the bytes that are signed: the document without `signature`, as RFC 8785 writes it.

    Raises:
        rfc8785.CanonicalizationError: for a number that is not finite, an integer beyond 2**53, or a lone surrogate.
    """
    import rfc8785

    return rfc8785.dumps({name: value for name, value in document.items() if name != "signature"})


def parse(text: bytes) -> dict[str, Any]:
    """Reads a receipt.

    Raises:
        NotReceipt: it is not a JSON object, or an object in it has two members of one name, of which programs would see
            different ones.
    """
    try:
        document = json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise NotReceipt(f"The receipt is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise NotReceipt("The receipt is not a JSON object.")
    return document


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the member {name!r} is there twice")
        found[name] = value
    return found
