"""Files of Ed25519 keys: what signs receipts, and what checks them.

A gateway's file has one or more keys as PEM. The first one is private and signs. Further ones are keys that have signed
before: they are published, so that old receipts can still be checked. A file of exactly 32 bytes is a private key, too.

A key's id is its thumbprint (RFC 7638): it follows from the key, so no other key can have the same id.
"""

import base64
import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rowcast.errors import BadReceiptKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

KEY_BYTES = 32
MODE = 0o600

_MOST_FILE_BYTES = 1024 * 1024
_BLOCK = re.compile(rb"-----BEGIN ([A-Z ]+)-----.+?-----END \1-----", re.DOTALL)
_TAKES = (
    "a PEM file with an Ed25519 private key, as `rowcast receipt-key new` or `openssl genpkey -algorithm ed25519` make"
)


@dataclass(frozen=True)
class PublicKey:
    """A key that checks signatures."""

    #: The key itself, 32 bytes (RFC 8032).
    raw: bytes

    @property
    def id(self) -> str:
        """The SHA-256 of the key as a JSON Web Key (RFC 7638, RFC 8037 appendix A.3), in base64url; 43 characters."""
        members = json.dumps({"crv": "Ed25519", "kty": "OKP", "x": _base64url(self.raw)}, separators=(",", ":"))
        return _base64url(hashlib.sha256(members.encode()).digest())

    def jwk(self) -> dict[str, str]:
        """Returns the key as a JSON Web Key (RFC 8037)."""
        return {"kty": "OKP", "crv": "Ed25519", "x": _base64url(self.raw), "kid": self.id, "alg": "EdDSA", "use": "sig"}


@dataclass(frozen=True)
class SigningKeys:
    """The keys of a gateway."""

    #: Signs new receipts.
    private: "Ed25519PrivateKey"
    #: All keys that receipts may be checked with, first the one that signs.
    public: tuple[PublicKey, ...]


def read_signing_keys(file: Path) -> SigningKeys:
    """Reads a gateway's file of keys.

    Raises:
        BadReceiptKey: the file cannot be read, or its first key is not an Ed25519 private key.
    """
    keys = _keys_of(file, _read(file), is_seed_allowed=True)
    if not keys or keys[0][0] is None:
        raise BadReceiptKey(file, f"must be {_TAKES}; the private key comes first")
    return SigningKeys(keys[0][0], tuple(dict.fromkeys(public for _, public in keys)))


def read_public_keys(path: Path) -> dict[str, PublicKey]:
    """Returns the keys in a PEM file, in a saved `/receipts/keys`, or in all such files of a folder, by their ids.

    Raises:
        BadReceiptKey: the file cannot be read, or has no Ed25519 key.
    """
    if not path.is_dir():
        return _public_keys_of(path)
    found: dict[str, PublicKey] = {}
    for file in sorted(path.iterdir()):
        if file.suffix in (".pem", ".json", ".jwk", ".pub"):
            found |= _public_keys_of(file)
    if not found:
        raise BadReceiptKey(path, "the folder has no file of keys (.pem or .json)")
    return found


def keys_in_document(document: Any, source: object) -> dict[str, PublicKey]:
    """Returns the Ed25519 keys in the answer of `GET /receipts/keys` (RFC 7517 §5), by the ids that follow from them.

    Raises:
        BadReceiptKey: it is not such a document. It names `source`.
    """
    keys = document.get("keys", [document]) if isinstance(document, Mapping) else None
    if not isinstance(keys, list):
        raise BadReceiptKey(source, 'must be a PEM file or a JSON document like {"keys": [...]}')
    found = [_from_jwk(key) for key in keys if isinstance(key, Mapping) and key.get("crv") == "Ed25519"]
    good = [key for key in found if key is not None]
    if not good:
        raise BadReceiptKey(source, "has no Ed25519 key")
    return {key.id: key for key in good}


def make_key(file: Path) -> SigningKeys:
    """Makes a new private key, the first one in the file. The keys in the file stay as public keys.

    Raises:
        BadReceiptKey: there is a file, but not of keys. OSError: it cannot be written.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    before = read_signing_keys(file).public if file.exists() else ()
    private = Ed25519PrivateKey.generate()
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, MODE)
    with os.fdopen(target, "wb") as written:
        written.write(_private_pem(private) + public_pem(before))
        os.fsync(target)
    temporary.replace(file)
    return read_signing_keys(file)


def public_pem(keys: Iterable[PublicKey]) -> bytes:
    """Returns public keys as PEM, one after the other."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    loaded = (Ed25519PublicKey.from_public_bytes(key.raw) for key in keys)
    return b"".join(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in loaded)


def _private_pem(key: "Ed25519PrivateKey") -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _public_keys_of(file: Path) -> dict[str, PublicKey]:
    data = _read(file)
    if data.lstrip().startswith(b"{"):
        try:
            document = json.loads(data)
        except ValueError:
            raise BadReceiptKey(file, "is not valid JSON") from None
        return keys_in_document(document, file)
    keys = [public for _, public in _keys_of(file, data, is_seed_allowed=False)]
    if not keys:
        raise BadReceiptKey(file, "has no key; it takes a PEM file or a saved `/receipts/keys`")
    return {key.id: key for key in keys}


def _keys_of(file: Path, data: bytes, *, is_seed_allowed: bool) -> list[tuple["Ed25519PrivateKey | None", PublicKey]]:
    """Returns private (or None) and public key of each PEM block, or of the 32 bytes."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

    if is_seed_allowed and len(data) == KEY_BYTES:
        private = Ed25519PrivateKey.from_private_bytes(data)
        return [(private, PublicKey(private.public_key().public_bytes_raw()))]
    found: list[tuple[Ed25519PrivateKey | None, PublicKey]] = []
    for block in _BLOCK.finditer(data):
        try:
            is_private = block[1].endswith(b"PRIVATE KEY")
            key: object = load_pem_private_key(block[0], None) if is_private else load_pem_public_key(block[0])
        except TypeError:
            raise BadReceiptKey(file, "is encrypted; write the key without a password, readable only by its owner")  # noqa: B904
        except (ValueError, UnsupportedAlgorithm):
            raise BadReceiptKey(file, f"has a key that cannot be read; it must be {_TAKES}") from None
        if isinstance(key, Ed25519PrivateKey):
            found.append((key, PublicKey(key.public_key().public_bytes_raw())))
        elif isinstance(key, Ed25519PublicKey):
            found.append((None, PublicKey(key.public_bytes_raw())))
        else:
            raise BadReceiptKey(file, f"has a key of another kind than Ed25519; it must be {_TAKES}")
    return found


def _from_jwk(key: Mapping[str, Any]) -> PublicKey | None:
    try:
        raw = base64.urlsafe_b64decode(str(key["x"]) + "==")
    except (KeyError, ValueError):
        return None
    return PublicKey(raw) if len(raw) == KEY_BYTES else None


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_FILE_BYTES)
    except OSError as error:
        raise BadReceiptKey(file, f"cannot be read: {error.strerror}") from None


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
