"""A request's body as blocks: counted, decompressed, limited, and never held whole."""

import time
import zlib
from collections.abc import Iterator
from typing import Any

from flask import request

from api.closing import BODY_READ
from rowcast.errors import BodyCutShort, TooLarge, Unreadable, UnsupportedType
from rowcast.settings import Settings

BLOCK_BYTES = 1024 * 1024
STEP_BYTES = 32 * 1024
STALL_SECONDS = 30.0
"""How long a caller may send nothing in the middle of a body."""

_TURN_SECONDS = 0.0001

_FIRST_BYTES = 1024
"""The first block is small, so that a header line is looked at as soon as it has arrived."""

_RATIO = 250
_RATIO_FROM_BYTES = 16 * 1024 * 1024
"""From so many bytes on, a gzip that grows by more than this is taken for a bomb; rows of text reach some 20 to 50."""


def read_blocks(settings: Settings) -> Iterator[bytes]:
    """The body, decompressed where `Content-Encoding` says so.

    Raises:
        BodyCutShort: it breaks off or stalls. Unreadable: it is no gzip.
        TooLarge: it is over the limit, compressed or not.
        UnsupportedType: another content encoding.
    """
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    raw = _raw_blocks(settings.max_upload_bytes)
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


def gunzip(blocks: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    """Decompresses gzip (RFC 1952), several members too, in blocks of at most a megabyte.

    Raises:
        Unreadable: it is no gzip, or ends too early. TooLarge: what comes out is over the limit, or a bomb.
    """
    member: Any = None
    taken = given = 0
    for block in blocks:
        data = block
        taken += len(block)
        while data:
            member = member or zlib.decompressobj(wbits=31)
            try:
                out = member.decompress(data, BLOCK_BYTES)
            except zlib.error as error:
                raise Unreadable(f"The body is not gzip: {error}.") from None
            given += len(out)
            if given > max_bytes:
                raise TooLarge("The decompressed body", max_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
            if given > _RATIO_FROM_BYTES and given > _RATIO * taken:
                raise Unreadable(f"The body grows more than {_RATIO} times when decompressed: that is no data.")
            if out:
                yield out
                _let_others_on()
            data = member.unconsumed_tail
            if member.eof:
                data, member = member.unused_data, None
    if member is not None or not taken:
        raise Unreadable("The gzip ends too early.")


def in_steps(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes in small blocks, for work that takes so long on each that others would notice."""
    for block in blocks:
        for start in range(0, len(block), STEP_BYTES):
            yield block[start : start + STEP_BYTES]
            _let_others_on()


def _let_others_on() -> None:
    """Under gevent a socket that always has data never waits, and would keep the process for itself.

    A sleep of 0 would not do: gevent lets 50 of those pass before it looks at the other callers' sockets.
    """
    time.sleep(_TURN_SECONDS)


def _raw_blocks(max_bytes: int) -> Iterator[bytes]:
    expected = request.content_length
    if expected is not None and expected > max_bytes:
        raise TooLarge("The body", max_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
    return _read(request.environ, expected, max_bytes)


def _read(environ: dict[str, Any], expected: int | None, max_bytes: int) -> Iterator[bytes]:
    socket = environ.get("gunicorn.socket")
    if socket is not None:
        socket.settimeout(STALL_SECONDS)
    body, got, size = environ["wsgi.input"], 0, _FIRST_BYTES
    while expected is None or got < expected:
        if got:
            _let_others_on()
        try:
            block = body.read(size if expected is None else min(size, expected - got))
        except TimeoutError:
            raise BodyCutShort(f"The body stalled for {STALL_SECONDS:g} s.") from None
        except Exception as error:  # the server's own errors: a chunk that is none, a connection that is cut
            raise BodyCutShort(f"The body broke off: {type(error).__name__}.") from error
        if not block:
            break
        got += len(block)
        if got > max_bytes:
            raise TooLarge("The body", max_bytes, "ROWCAST_MAX_UPLOAD_BYTES")
        yield block
        size = BLOCK_BYTES
    if expected is not None and got < expected:
        raise BodyCutShort(f"The body broke off: {got} of {expected} bytes arrived.")
    environ[BODY_READ] = True
