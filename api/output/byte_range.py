"""The `Range` of a request (RFC 9110 §14): which of its forms is answered with a part of the result."""

import re
from typing import Any

from flask import Response

_ONE_RANGE = re.compile(r"bytes=[ \t]*([0-9]*)-([0-9]*)[ \t]*", re.IGNORECASE)
_MOST_DIGITS = 18
"""A number with more is beyond the end of any file, and Python takes long, or refuses, to read a huge one."""


def partial_response(response: Response, environ: dict[str, Any], length: int) -> Response:
    """The response with what the conditions and the `Range` of the request make of it: 200, 206, 304 or 412.

    `length` is that of the whole body, which must be seekable.

    Raises:
        RequestedRangeNotSatisfiable: the range begins beyond the end.
    """
    response.headers["Accept-Ranges"] = "bytes"
    without = {name: value for name, value in environ.items() if name != "HTTP_RANGE"}
    response.make_conditional(without)  # first, by the order of RFC 9110 §13.2.2
    is_weak = environ.get("HTTP_IF_RANGE", "").startswith("W/")  # compared strongly (§13.1.5); Werkzeug does not
    asked = one_range(environ.get("HTTP_RANGE", ""), length)
    if asked is None or is_weak or environ["REQUEST_METHOD"] != "GET" or response.status_code != 200:
        return response
    response.make_conditional({**without, "HTTP_RANGE": asked}, accept_ranges=True, complete_length=length)
    return response


def one_range(header: str, length: int) -> str | None:
    """The one range of bytes that `header` asks for, in Werkzeug's form; None if the header is to be ignored.

    Several ranges, other units and what is malformed are ignored: §14.2 allows the first and asks for the others.
    """
    found = _ONE_RANGE.fullmatch(header)
    if not found or found[1] == found[2] == "":
        return None
    first, last = (_number(digits) for digits in found.groups())
    if first is None:  # the last so many bytes; all of them if there are fewer (§14.1.2)
        return f"bytes=-{min(last or 0, length)}"
    if last is not None and last < first:
        return None
    return f"bytes={first}-{'' if last is None else last}"


def _number(digits: str) -> int | None:
    digits = digits.lstrip("0") or digits[-1:]
    if len(digits) > _MOST_DIGITS:
        return int(10**_MOST_DIGITS)
    return int(digits) if digits else None
