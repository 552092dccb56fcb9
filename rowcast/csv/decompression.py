"""Decompresses gzip, and zip with one file, as they arrive. Files are never held in memory as a whole."""

import struct
import time
import zlib
from collections.abc import Iterator
from typing import Any

from rowcast.errors import BrokenCompression, TooLarge

BLOCK_BYTES = 1024 * 1024

_TURN_SECONDS = 0.0001

_RATIO = 250
_RATIO_FROM_BYTES = 16 * 1024 * 1024
"""Decompressed bytes after which a file that grows more than `_RATIO` times is refused as a bomb.

Text in rows reaches a ratio of about 20 to 50.
"""

_LOCAL, _DESCRIPTOR = b"PK\x03\x04", b"PK\x07\x08"
_LOCAL_HEADER = struct.Struct("<2xHH4xIIIHH")
"""The fields after the signature (APPNOTE 4.3.7): flags, method, CRC, two sizes, lengths of name and extra field."""

_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _HAS_DESCRIPTOR = 1, 8
_UNKNOWN_SIZE = 0xFFFFFFFF


def yield_to_other_requests() -> None:
    """Lets other requests run. Under gevent, a socket that always has data would never switch to them.

    A sleep of 0 is not enough: gevent runs 50 of those before it checks the other callers' sockets.
    """
    time.sleep(_TURN_SECONDS)


def gunzip(blocks: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    """Decompresses gzip (RFC 1952), also with several members, to blocks of at most a megabyte.

    Raises:
        BrokenCompression: it is not gzip, ends too early, or is a bomb. TooLarge: the output exceeds the limit.
    """
    member: Any = None
    taken = given = 0
    for block in blocks:
        if not block:
            yield b""  # the sender pauses
        data = block
        taken += len(block)
        while data:
            member = member or zlib.decompressobj(wbits=31)
            try:
                out = member.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                raise BrokenCompression(f"The body is not gzip: {error}.") from None
            given += len(out)
            _check_growth(taken, given, max_bytes)
            if out:
                yield out
                yield_to_other_requests()
            data = member.unconsumed_tail
            if member.eof:
                data, member = member.unused_data, None
    if member is not None or not taken:
        raise BrokenCompression("The gzip data ends too early. Send the whole file.")


def unzip(blocks: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    """Decompresses the only file of a zip archive. Folders and the files that macOS adds are ignored.

    Raises:
        BrokenCompression: it is not zip, has several files, ends too early, or is a bomb, or needs a password.
        TooLarge: the output exceeds the limit.
    """
    archive = _Archive(blocks, max_bytes)
    found = ""
    while archive.read(4) == _LOCAL:
        member = _Member(archive)
        if member.name.endswith("/") or member.name.startswith("__MACOSX/"):
            for _ in member.content():
                pass
        elif found:
            raise BrokenCompression(
                f"The zip has several files, {found!r} and {member.name!r}: send each file separately."
            )
        else:
            found = member.name
            yield from member.content()
    for _ in blocks:  # the rest is the table of contents
        pass
    if not found:
        raise BrokenCompression("The zip has no file in it.")


def zip_member(first: bytes) -> str:
    """Returns the name of the first file in a zip that begins with these bytes. It may be cut off at their end."""
    length = int.from_bytes(first[26:28], "little")
    return first[30 : 30 + length].decode("utf-8", "replace")


class _Archive:
    """The bytes of an archive, which can be read in pieces of any size."""

    def __init__(self, blocks: Iterator[bytes], max_bytes: int) -> None:
        self._blocks, self._max_bytes = blocks, max_bytes
        self._held = b""
        self._taken = self._given = 0

    def some(self) -> bytes:
        """Returns the next bytes, of any number, or no bytes at the end."""
        held, self._held = self._held, b""
        while not held and (block := next(self._blocks, None)) is not None:
            held = block
            self._taken += len(block)
        return held

    def give_back(self, data: bytes) -> None:
        """Puts bytes back, so that they are read again."""
        self._held = data + self._held

    def read(self, count: int) -> bytes:
        """Returns exactly `count` bytes.

        Raises:
            BrokenCompression: the archive ends before them.
        """
        data = bytearray()
        while len(data) < count:
            if not (more := self.some()):
                raise BrokenCompression("The zip ends too early. Send the whole file.")
            data += more
        self.give_back(bytes(data[count:]))
        return bytes(data[:count])

    def give(self, out: bytes) -> bytes:
        """Counts and returns decompressed bytes."""
        self._given += len(out)
        _check_growth(self._taken, self._given, self._max_bytes)
        return out


class _Member:
    """One file in an archive. Its signature has been read before. Its content can be read once."""

    def __init__(self, archive: _Archive) -> None:
        self._archive = archive
        header = _LOCAL_HEADER.unpack(archive.read(_LOCAL_HEADER.size))
        self._flags, self._method, self._crc, self._packed_bytes, _, name_bytes, extra_bytes = header
        self.name = archive.read(name_bytes).decode("utf-8", "replace")
        extra = archive.read(extra_bytes)
        if self._packed_bytes == _UNKNOWN_SIZE and extra[:2] == b"\x01\x00":  # zip64: both sizes have 8 bytes
            self._packed_bytes = int.from_bytes(extra[12:20], "little")

    def content(self) -> Iterator[bytes]:
        """Yields the content of the file, and verifies its checksum at the end."""
        if self._flags & _ENCRYPTED:
            raise BrokenCompression("The zip has a password. Send it without one.")
        has_descriptor = bool(self._flags & _HAS_DESCRIPTOR)
        if self._method not in (_STORED, _DEFLATED) or (self._method == _STORED and has_descriptor):
            raise BrokenCompression("The compression method of the zip is not supported. Use deflate, or gzip.")
        crc = given = 0
        for out in self._inflated() if self._method == _DEFLATED else self._stored():
            crc = zlib.crc32(out, crc)
            given += len(out)
            yield self._archive.give(out)
            yield_to_other_requests()
        if has_descriptor:
            self._read_descriptor(given)
        if crc != self._crc:
            raise BrokenCompression(f"The zip is damaged: the checksum of {self.name!r} does not match.")

    def _stored(self) -> Iterator[bytes]:
        left = self._packed_bytes
        while left:
            yield (data := self._archive.read(min(left, BLOCK_BYTES)))
            left -= len(data)

    def _inflated(self) -> Iterator[bytes]:
        inflate = zlib.decompressobj(wbits=-15)
        while not inflate.eof:
            data = inflate.unconsumed_tail or self._archive.some()
            if not data:
                raise BrokenCompression("The zip ends too early. Send the whole file.")
            try:
                yield inflate.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                raise BrokenCompression(f"The zip is damaged: {error}.") from None
        self._archive.give_back(inflate.unused_data)

    def _read_descriptor(self, given: int) -> None:
        """Reads the checksum and the sizes, which follow the content if the archive was written as a stream."""
        crc = self._archive.read(4)
        if crc == _DESCRIPTOR:
            crc = self._archive.read(4)
        self._crc = int.from_bytes(crc, "little")
        self._archive.read(4)
        if int.from_bytes(self._archive.read(4), "little") != given & _UNKNOWN_SIZE:  # the sizes have 8 bytes
            self._archive.read(8)


def _check_growth(taken: int, given: int, max_bytes: int) -> None:
    if given > max_bytes:
        raise TooLarge("The decompressed body", max_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
    if given > _RATIO_FROM_BYTES and given > _RATIO * taken:
        raise BrokenCompression(
            f"The body grows more than {_RATIO} times when it is decompressed. Such a file is not accepted."
        )
