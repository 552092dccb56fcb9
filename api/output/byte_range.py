"""Responses to a request with `Range` (RFC 9110 §14), for example `Range: bytes=1000-` to resume a download."""

import re
from typing import Any

from flask import Response

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_MAX_DIGITS = 18
"""A longer number is beyond the end of any file, and Python is slow to parse huge numbers, or refuses."""


def partial_response(response: Response, environ: dict[str, Any], length: int) -> Response:
    """Returns the response with status 200, 206, 304 or 412, as the conditions and the `Range` of the request demand.

    `length` is the number of bytes of the whole body, which must be seekable.

    Raises:
        RequestedRangeNotSatisfiable: the range begins beyond the end of the body.
    """
    response.headers["Accept-Ranges"] = "bytes"
    without = {name: value for name, value in environ.items() if name != "HTTP_RANGE"}
    response.make_conditional(without)  # first, by the order of RFC 9110 §13.2.2
    is_weak = environ.get("HTTP_IF_RANGE", "").startswith("W/")  # compared strongly (§13.1.5); Werkzeug does not
    range_value = one_range(environ.get("HTTP_RANGE", ""), length)
    if range_value is None or is_weak or environ["REQUEST_METHOD"] != "GET" or response.status_code != 200:
        return response
    response.make_conditional({**without, "HTTP_RANGE": range_value}, accept_ranges=True, complete_length=length)
    return response


def one_range(header: str, length: int) -> str | None:
    """Returns the range of `header` in Werkzeug's form, for example `bytes=0-99`, or None if it must be ignored.

    Several ranges, other units and malformed headers are ignored. §14.2 allows the first and requires the others.
    """
    found = _ONE_RANGE.fullmatch(header)
    if not found or found[1] == found[2] == "":
        return None
    first, last = (_number(digits) for digits in found.groups())
    if first is None:  # `bytes=-N`: the last N bytes, or all if there are fewer (§14.1.2)
        return f"bytes=-{min(last or 0, length)}"
    if last is not None and last < first:
        return None
    return f"bytes={first}-{'' if last is None else last}"


def _number(digits: str) -> int | None:
    digits = digits.lstrip("0") or digits[-1:]
    if len(digits) > _MAX_DIGITS:
        return int(10**_MAX_DIGITS)
    return int(digits) if digits else None
