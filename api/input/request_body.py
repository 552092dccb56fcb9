"""A request's body as blocks, which are counted, limited and decompressed. Only small bodies are held in memory."""

from collections.abc import Iterator
from typing import Any

from flask import request

from api.input.live_upload import Pauses
from api.input.unbuffered_read import read_some
from api.output.early_response import BODY_READ
from rowcast.csv.decompression import BLOCK_BYTES, gunzip, yield_to_other_requests
from rowcast.errors import BodyCutShort, TooLarge, Unprocessable, Unreadable, UnsupportedType
from rowcast.settings import Settings
from rowcast.wording.quantity import counted

BODY_ERRORS = (Unreadable, TooLarge, UnsupportedType, Unprocessable)
"""The errors of reading a body and what is in it, for the OpenAPI entries of calls that do so."""

STEP_BYTES = 32 * 1024
STALL_SECONDS = 30.0
"""Time for which a caller may send nothing in the middle of a body."""

LIVE_STALL_SECONDS = 3600.0
"""The same for a caller that follows the result: `tail -f` may be silent for a long time."""

_LEAST_BLOCK_BYTES = 256 * 1024
"""Length from which a block is handed on. The work on each block has a fixed cost."""

ENCODINGS = ("gzip", "x-gzip", "identity", "")
"""The values of `Content-Encoding`. The last two mean that the body is as it is."""

_FIRST_BYTES = 64 * 1024
"""For the first bytes of a body, a block is whatever has arrived, so that a header line is checked at once."""


def read_blocks(settings: Settings, *, pauses: Pauses | None = None) -> Iterator[bytes]:
    """Returns the blocks of the body, decompressed if `Content-Encoding` says so.

    With `pauses`, a block is whatever has arrived, and an empty block means that the sender pauses, which it may do for
    an hour.

    Raises:
        BodyCutShort: the body is cut off or stalls. BrokenCompression: it is not gzip.
        TooLarge: it exceeds the limit, compressed or decompressed.
        UnsupportedType: the content encoding is not supported.
    """
    is_gzip = is_body_gzip()
    raw = read_raw(settings.max_upload_bytes, live=pauses is not None)
    raw = pauses.marked(raw) if pauses else raw
    return gunzip(raw, settings.max_upload_bytes) if is_gzip else raw


def is_body_gzip() -> bool:
    """Returns whether `Content-Encoding` says that the body is gzip.

    Raises:
        UnsupportedType: the content encoding is not supported.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ENCODINGS:
        raise UnsupportedType(f"Content-Encoding {encoding!r} is not supported; send gzip, or remove the header.")
    return encoding.endswith("gzip")


def read_whole(settings: Settings) -> bytes:
    """Returns the whole of a small body.

    Raises:
        TooLarge: it exceeds the limit of JSON bodies.
    """
    data = bytearray()
    for block in read_blocks(settings):
        data += block
        if len(data) > settings.max_json_bytes:
            raise TooLarge("The JSON body", settings.max_json_bytes, "ROWCAST_MAX_JSON_BYTES")
    return bytes(data)


def in_steps(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yields the same bytes in small blocks, for slow work on each block: other requests run between two of them."""
    for block in blocks:
        for start in range(0, len(block), STEP_BYTES):
            yield block[start : start + STEP_BYTES]
            yield_to_other_requests()


def read_raw(max_bytes: int, *, live: bool = False) -> Iterator[bytes]:
    """Returns the blocks of the body as they were sent. A `live` sender may be silent for an hour.

    Raises:
        BodyCutShort: the body is cut off or stalls; the blocks before were returned. TooLarge: it exceeds the limit.
    """
    expected = request.content_length
    if expected is not None and expected > max_bytes:
        raise TooLarge("The body", max_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
    stall_seconds = LIVE_STALL_SECONDS if live else STALL_SECONDS
    return _read(request.environ, expected, max_bytes, _FIRST_BYTES if not live else max_bytes, stall_seconds)


def _read_block(body: Any, least: int, most: int) -> bytes:
    """Reads at least `least` bytes, unless the body ends. gunicorn's `read` would copy them three times."""
    pieces: list[bytes] = []
    size = 0
    while size < least and (piece := read_some(body, most - size)):
        pieces.append(piece)
        size += len(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _read(
    environ: dict[str, Any], expected: int | None, max_bytes: int, first_bytes: int, stall_seconds: float
) -> Iterator[bytes]:
    """Yields blocks of at least `_LEAST_BLOCK_BYTES`; of the first `first_bytes`, whatever has arrived."""
    socket = environ.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(stall_seconds)
    body, got, got_since = environ["wsgi.input"], 0, 0
    while expected is None or got < expected:
        if got and (got < first_bytes or got_since >= BLOCK_BYTES):
            yield_to_other_requests()
            got_since = 0
        try:
            left = BLOCK_BYTES if expected is None else min(BLOCK_BYTES, expected - got)
            block = _read_block(body, 1 if got < first_bytes else min(_LEAST_BLOCK_BYTES, left), left)
        except TimeoutError:
            raise BodyCutShort(f"The body stalled: no data arrived for {stall_seconds:g} s.") from None
        except Exception as error:  # gunicorn's own errors, for example an invalid chunk or a cut connection
            raise BodyCutShort(f"The body broke off: {type(error).__name__}.") from error
        if not block:
            break
        got, got_since = got + len(block), got_since + len(block)
        if got > max_bytes:
            raise TooLarge("The body", max_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
        yield block
    if expected is not None and got < expected:
        raise BodyCutShort(f"The body broke off: {got:,} of {counted(expected, 'byte')} arrived.")
    environ[BODY_READ] = True
