"""A request's body as blocks: counted, decompressed, limited, and never held whole."""

from collections.abc import Iterator
from typing import Any

from flask import request

from api.input.decompression import BLOCK_BYTES, gunzip, yield_to_other_requests
from api.input.live_upload import Pauses
from api.input.unbuffered_read import read_some
from api.output.early_response import BODY_READ
from rowcast.errors import BodyCutShort, TooLarge, Unprocessable, Unreadable, UnsupportedType
from rowcast.settings import Settings

BODY_ERRORS = (Unreadable, TooLarge, UnsupportedType, Unprocessable)
"""The errors of reading a body and what is in it, for the OpenAPI entries of calls that do so."""

STEP_BYTES = 32 * 1024
STALL_SECONDS = 30.0
"""How long a caller may send nothing in the middle of a body."""

LIVE_STALL_SECONDS = 3600.0
"""The same for one that follows the result: `tail -f` may have nothing to say for a long time."""

_FIRST_BYTES = 64 * 1024
"""Up to here blocks are what has arrived, however little, so that a header line is checked as soon as it is there."""


def read_blocks(settings: Settings, *, pauses: Pauses | None = None) -> Iterator[bytes]:
    """The body, decompressed where `Content-Encoding` says so.

    With `pauses` blocks are what has arrived, and an empty one says that the sender pauses; it may do so for an hour.

    Raises:
        BodyCutShort: it breaks off or stalls. BrokenCompression: it is not gzip.
        TooLarge: it is over the limit, compressed or not.
        UnsupportedType: another content encoding.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    raw = _raw_blocks(settings.max_upload_bytes, live=pauses is not None)
    raw = pauses.marked(raw) if pauses else raw
    if encoding in ("gzip", "x-gzip"):
        return gunzip(raw, settings.max_upload_bytes)
    if encoding not in ("identity", ""):
        raise UnsupportedType(f"Content-Encoding {encoding!r} is not known here; send gzip or none.")
    return raw


def read_whole(settings: Settings) -> bytes:
    """A small body, whole.

    Raises:
        TooLarge: it is over the limit of JSON bodies.
    """
    data = bytearray()
    for block in read_blocks(settings):
        data += block
        if len(data) > settings.max_json_bytes:
            raise TooLarge("The JSON body", settings.max_json_bytes, "ROWCAST_MAX_JSON_BYTES")
    return bytes(data)


def in_steps(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in small blocks, for work that takes so long on each that others would notice."""
    for block in blocks:
        for start in range(0, len(block), STEP_BYTES):
            yield block[start : start + STEP_BYTES]
            yield_to_other_requests()


def _raw_blocks(max_bytes: int, *, live: bool) -> Iterator[bytes]:
    expected = request.content_length
    if expected is not None and expected > max_bytes:
        raise TooLarge("The body", max_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
    stall_seconds = LIVE_STALL_SECONDS if live else STALL_SECONDS
    return _read(request.environ, expected, max_bytes, _FIRST_BYTES if not live else max_bytes, stall_seconds)


def _read(
    environ: dict[str, Any], expected: int | None, max_bytes: int, first_bytes: int, stall_seconds: float
) -> Iterator[bytes]:
    """Blocks of a megabyte, but up to `first_bytes` what has arrived, however little."""
    socket = environ.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(stall_seconds)
    body, got = environ["wsgi.input"], 0
    while expected is None or got < expected:
        if got:
            yield_to_other_requests()
        try:
            left = BLOCK_BYTES if expected is None else min(BLOCK_BYTES, expected - got)
            block = read_some(body, left) if got < first_bytes else body.read(left)
        except TimeoutError:
            raise BodyCutShort(f"The body stalled for {stall_seconds:g} s.") from None
        except Exception as error:  # the server's own errors: a chunk that is none, a connection that is cut
            raise BodyCutShort(f"The body broke off: {type(error).__name__}.") from error
        if not block:
            break
        got += len(block)
        if got > max_bytes:
            raise TooLarge("The body", max_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
        yield block
    if expected is not None and got < expected:
        raise BodyCutShort(f"The body broke off: {got} of {expected} bytes arrived.")
    environ[BODY_READ] = True
