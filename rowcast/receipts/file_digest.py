"""SHA-256 and length of a file, as it is and as Rowcast reads it: without gzip, or as the only member of a zip."""

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Protocol

_BLOCK_BYTES = 1024 * 1024


class FileDigest(NamedTuple):
    """What identifies the content of a file."""

    sha256: str
    """In hexadecimal."""
    length_bytes: int


def digests_of(file: Path) -> Iterator[FileDigest]:
    """Yields the digest of the file's bytes, and if it is a gzip or a zip that of its content, at constant memory.

    Raises:
        OSError: the file cannot be read.
    """
    with file.open("rb") as plain:
        yield _digest(plain)
        plain.seek(0)
        start = plain.read(4)
        plain.seek(0)
        with suppress(EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile):  # then it is what its bytes are
            if start.startswith(b"\x1f\x8b"):
                with gzip.open(plain) as content:
                    yield _digest(content)
            elif start == b"PK\x03\x04":
                with zipfile.ZipFile(plain) as archive:
                    members = [member for member in archive.infolist() if not member.is_dir()]
                    for member in members[:1]:
                        with archive.open(member) as content:
                            yield _digest(content)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _digest(content: _Readable) -> FileDigest:
    seen, length = hashlib.sha256(), 0
    while block := content.read(_BLOCK_BYTES):
        seen.update(block)
        length += len(block)
    return FileDigest(seen.hexdigest(), length)
