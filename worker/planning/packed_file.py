"""A file that is read by URL and is gzip: its bytes unpacked, which go into the store while they are scanned.

What is packed can only be read from its beginning. So chunks are read from the store, which has it unpacked.
"""

from collections.abc import Callable, Iterator

import xxhash

from rowcast.csv.decompression import gunzip
from rowcast.errors import BrokenCompression, FileUnreadable
from rowcast.jobs.by_url.url_files import KnownFile, UrlFiles
from rowcast.jobs.job_files import SOURCE_PIECE_BYTES, Files

GZIP = b"\x1f\x8b"
"""The first bytes of gzip."""


def file_blocks(files: UrlFiles, file: KnownFile, block_bytes: int, start: int = 0) -> Iterator[bytes]:
    """Yields a file in blocks, as it is."""
    for at in range(start, file.size, block_bytes):
        yield files.read(file, at, min(block_bytes, file.size - at))


def unpacked_blocks(files: UrlFiles, file: KnownFile, block_bytes: int, max_bytes: int) -> Iterator[bytes]:
    """Yields a file unpacked, of which `block_bytes` are read at once.

    Raises:
        FileUnreadable: it is not gzip, or ends too early. TooLarge: it is larger than `max_bytes`.
    """
    try:
        yield from gunzip(file_blocks(files, file, block_bytes), max_bytes)
    except BrokenCompression as error:
        raise FileUnreadable.at(file.url, error.detail) from None


def store_blocks(store: Files, id: str, file: KnownFile, blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the same blocks. What they have is in the store when they have ended."""
    name, held, piece = unpacked_name(file), bytearray(), 0
    for block in blocks:
        held += block
        while len(held) >= SOURCE_PIECE_BYTES:
            store.put_unpacked(id, name, piece, bytes(held[:SOURCE_PIECE_BYTES]))
            del held[:SOURCE_PIECE_BYTES]
            piece += 1
        yield block
    if held:
        store.put_unpacked(id, name, piece, bytes(held))


def unpacked_name(file: KnownFile) -> str:
    """Returns the name of an unpacked file in the store."""
    return xxhash.xxh3_128_hexdigest(f"{file.url} {file.version}".encode())


def stepped(blocks: Iterator[bytes], step: Callable[[], None]) -> Iterator[bytes]:
    """Yields the same blocks, and calls `step` before each."""
    for block in blocks:
        step()
        yield block
