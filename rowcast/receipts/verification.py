"""Checks a receipt against files and keys, without a network."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rowcast.receipts.file_digest import digests_of
from rowcast.receipts.key_files import PublicKey
from rowcast.receipts.signed_document import NotReceipt, is_signed_by
from rowcast.wording.quantity import counted

TYPE: Final = "urn:rowcast:receipt:1"
"""The member `type` of a receipt. Another form would get another number."""


@dataclass
class Verification:
    """What was checked, as sentences."""

    #: What agrees.
    agreed: list[str] = field(default_factory=list)
    #: What differs. The receipt holds if there is none.
    differences: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        """Whether nothing differs."""
        return not self.differences


def check_files(receipt: Mapping[str, Any], files: Mapping[str, Path], found: Verification) -> None:
    """Compares files with a receipt. `files` has the path of `input`, of `result` or of both.

    Raises:
        NotReceipt: the receipt lacks the hash of such a file. OSError: a file cannot be read.
    """
    for member, file in files.items():
        wanted = _recorded(receipt, member)
        seen = list(digests_of(file))
        if any(wanted == (one.sha256, one.length_bytes) for one in seen):
            content = "" if wanted == (seen[0].sha256, seen[0].length_bytes) else "the content of "
            found.agreed.append(f"The {member} is {content}{file}.")
        elif any(wanted[0] == one.sha256 for one in seen):
            found.differences.append(
                f"{member}.bytes differs: the receipt says {wanted[1]}, but {file} has other bytes."
            )
        else:
            found.differences.append(
                f"{member}.sha256 differs: {file} is not the {member} of this receipt. The receipt says {wanted[0]} "
                f"({counted(wanted[1], 'byte')}), the file has {seen[-1].sha256} "
                f"({counted(seen[-1].length_bytes, 'byte')})."
            )


def check_signature(
    receipt: Mapping[str, Any], keys: Mapping[str, PublicKey], source: object, found: Verification
) -> None:
    """Checks the signature with the keys of `source`, by their ids."""
    claimed = receipt.get("key_id")
    key = keys.get(claimed) if isinstance(claimed, str) else None
    if key is None:
        found.differences.append(
            f"key_id differs: the receipt claims the key {claimed!r}, but {source} has {', '.join(sorted(keys))}."
        )
    elif is_signed_by(receipt, key):
        found.agreed.append(f"The receipt is signed by the key {claimed}, and nothing in it was changed since.")
    else:
        found.differences.append(
            f"signature differs: the receipt was changed after it was signed, or the key {claimed} never signed it."
        )


def require_receipt(document: Mapping[str, Any]) -> None:
    """Checks that a document says that it is a receipt.

    Raises:
        NotReceipt: it does not.
    """
    if document.get("type") != TYPE:
        raise NotReceipt(f"This is not a receipt: its member `type` is {document.get('type')!r}, not {TYPE!r}.")


def _recorded(receipt: Mapping[str, Any], member: str) -> tuple[str, int]:
    match receipt.get(member):
        case {"sha256": str(sha256), "bytes": int(length)}:
            return sha256, length
    raise NotReceipt(f"The receipt has no `{member}.sha256` and `{member}.bytes`.")
