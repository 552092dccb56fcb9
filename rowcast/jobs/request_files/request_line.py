"""One line of a file of requests, in OpenAI's form: what it has to say, and the columns of the CSV made of it.

{"custom_id": "r1", "method": "POST", "url": "/predict", "body": {"model": "titanic", "features": [25, 3]}}
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rowcast.errors import NotJson
from rowcast.jobs.request_files.strict_json import parse

ENDPOINT = "/predict"
"""The only endpoint. Each line is a request that could be sent to it by itself."""

_ID_CHARACTERS = 512
_PLACE = re.compile(r": line 1 column ([0-9]+) \(char [0-9]+\)")
"""Where the JSON is wrong, as Python says it. The number of the line is another one."""

_MEMBERS = {"custom_id", "method", "url", "body"}


class LineFault(Exception):
    """A line is not such a request. The text says why."""


@dataclass(frozen=True)
class RequestLine:
    """A line that is a request. Its features have not been checked."""

    #: How the caller calls the request.
    custom_id: str
    #: The row, as in the body of `POST /predict`; None if there is none.
    features: Any
    #: The body without `features`.
    rest: Mapping[str, Any]


def read_request_line(text: bytes) -> RequestLine:
    """Returns the request that a line is.

    Raises:
        LineFault: it is not a request.
    """
    try:
        found = parse(text, "")
    except NotJson as error:
        raise LineFault(_PLACE.sub(r" at column \1", error.detail.strip().rstrip("."))) from None
    if not isinstance(found, Mapping):
        raise LineFault("is not a JSON object")
    if missing := sorted(_MEMBERS - found.keys()):
        raise LineFault(f"lacks {', '.join(missing)}")
    if unknown := [name for name in found if name not in _MEMBERS]:
        raise LineFault(f"has the unknown member {unknown[0][:80]!r}")
    custom_id, body = found["custom_id"], found["body"]
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= _ID_CHARACTERS or "\0" in custom_id:
        raise LineFault(f"has a custom_id that is not a text of 1 to {_ID_CHARACTERS} characters")
    if found["method"] != "POST" or found["url"] != ENDPOINT:
        raise LineFault(f'must have the method "POST" and the url "{ENDPOINT}"')
    if not isinstance(body, Mapping):
        raise LineFault("has a body that is not an object")
    rest = {name: value for name, value in body.items() if name != "features"}
    return RequestLine(custom_id, body.get("features"), rest)


def free_names(wanted: Sequence[str], taken: Sequence[str]) -> list[str]:
    """Returns names for columns that no feature has, for example `custom_id`, or `_custom_id` if a feature has it."""
    found: list[str] = []
    for name in wanted:
        while name in taken:
            name = f"_{name}"  # noqa: PLW2901
        found.append(name)
    return found


def column_names(features: Sequence[str]) -> tuple[str, str, str]:
    """Returns the names of the columns of the id, of the problem, and of the prediction, given the features."""
    id, problem, prediction = free_names(("custom_id", "problem", "prediction"), features)
    return id, problem, prediction
