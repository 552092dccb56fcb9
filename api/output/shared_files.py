"""Files and pages that are the same for every caller. They are compressed once, and browsers may keep them."""

import hashlib
from functools import cache, lru_cache
from pathlib import Path

from flask import Response, abort, request
from werkzeug.utils import get_content_type

from api.output.gzip_encoding import gzip_bytes, set_body

VALIDATED = "no-cache"
"""`Cache-Control` of an address whose content may change: a browser keeps it, and asks each time whether it did."""

UNCHANGING = "public, max-age=31536000, immutable"
"""`Cache-Control` of an address that names the version of its content: a browser never asks again."""

_KEPT = 256
"""Compressed bodies that are kept. There are some eighty pages and files, and a proxy's prefix makes them again."""

_BEST = 9


def shared_file(folder: Path, name: str, cache_control: str = VALIDATED) -> Response:
    """Returns the file `name` of a folder; 404 if it has no such file."""
    if name not in _names(folder):
        abort(404)
    return shared_response(_content(folder, name), _type_of(name), cache_control)


def shared_response(body: bytes | str, content_type: str, cache_control: str = VALIDATED) -> Response:
    """Returns a response that does not depend on the caller, as gzip if the request prefers that.

    It has an entity tag for each of the two forms, so that `If-None-Match` is answered with 304.
    """
    whole = body.encode() if isinstance(body, str) else body
    response = Response(content_type=content_type)
    response.headers["Cache-Control"] = cache_control
    if set_body(response, whole, _packed):
        response.set_etag(f"{_tag(whole)}-gzip")
        response.make_conditional(request.environ)
    else:
        response.set_etag(_tag(whole))
        response.make_conditional(request.environ, accept_ranges=True, complete_length=len(whole))
    return response


@cache
def _names(folder: Path) -> frozenset[str]:
    return frozenset(file.name for file in folder.iterdir())


@cache
def _content(folder: Path, name: str) -> bytes:
    return (folder / name).read_bytes()


@lru_cache(maxsize=_KEPT)
def _packed(body: bytes) -> bytes:
    return gzip_bytes(body, _BEST)


@lru_cache(maxsize=_KEPT)
def _tag(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:20]


def _type_of(name: str) -> str:
    types = {".css": "text/css", ".js": "text/javascript", ".html": "text/html", ".svg": "image/svg+xml"}
    known = types.get(Path(name).suffix, "image/png" if name.endswith(".png") else "application/octet-stream")
    return get_content_type(known, "utf-8")
