"""Responses as gzip for callers that send `Accept-Encoding: gzip`. Results are compressed while they are sent."""

import zlib
from collections.abc import Callable, Iterable, Iterator

from flask import Response, request

from api.threaded_storage import in_thread

_LEVEL = 1
"""The quickest level: the gateway also serves other requests meanwhile."""

_LEAST_BYTES = 500
"""Smaller bodies do not become smaller by more than the header that would say so."""

_TEXTS = ("text/", "application/json", "image/svg")

_GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""Makes zlib write the gzip format (RFC 1952)."""


def encoded_response(response: Response, blocks: Iterable[bytes]) -> Response:
    """Returns the response with its body as gzip, if the request prefers that; otherwise as it is.

    `blocks` is the body. Either way the response says that it depends on `Accept-Encoding`. A request with `Range`
    always gets the bytes as they are, because a range of gzip cannot be unpacked by itself. The entity tag of the gzip
    form is another one, and the response has neither a length nor ranges, because the length is not known.
    """
    response.vary.add("Accept-Encoding")
    if not prefers_gzip():
        return response
    tag, _ = response.get_etag()
    response.response = gzipped(blocks)
    response.direct_passthrough = True  # otherwise Werkzeug reads the whole body to know its length
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Accept-Ranges"] = "none"
    response.headers.pop("Content-Length", None)
    if tag is not None:
        response.set_etag(f"{tag}-gzip")
        response.make_conditional(request.environ)
    return response


def gzipped(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the blocks as one gzip member. Each block can be unpacked as soon as it has arrived."""
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    try:
        for block in blocks:
            if block:
                yield in_thread(packer.compress, block) + in_thread(packer.flush, zlib.Z_SYNC_FLUSH)
        yield packer.flush()
    finally:
        if close := getattr(blocks, "close", None):
            close()


def set_body(response: Response, body: bytes, pack: Callable[[bytes], bytes]) -> bool:
    """Sets the whole body of a response: as gzip, if it is text and the request prefers that. Returns whether it is.

    `pack` makes the gzip form.
    """
    can_shrink = response.content_type.startswith(_TEXTS) and len(body) >= _LEAST_BYTES
    is_packed = can_shrink and prefers_gzip()
    response.set_data(pack(body) if is_packed else body)
    if can_shrink:
        response.vary.add("Accept-Encoding")
    if is_packed:
        response.headers["Content-Encoding"] = "gzip"
    return is_packed


def gzip_bytes(data: bytes, level: int) -> bytes:
    """Returns the whole of `data` as one gzip member, made in a thread: other requests are served meanwhile."""
    packer = zlib.compressobj(level, zlib.DEFLATED, _GZIP_WINDOW)
    return bytes(in_thread(lambda: packer.compress(data) + packer.flush()))


def prefers_gzip() -> bool:
    """Returns whether the request takes gzip, and takes nothing else rather (RFC 9110 §12.5.3)."""
    encodings = request.accept_encodings
    quality = encodings.quality("gzip")
    return "Range" not in request.headers and quality > 0 and quality >= encodings.quality("identity")
