"""A problem document (RFC 9457): what every HTTP error and every failed job carries."""

from collections.abc import Sequence
from typing import Any, NotRequired

from typing_extensions import TypedDict


class Fault(TypedDict):
    """One thing that is wrong with an input, and where: a column, an option, a place in the JSON, a row."""

    where: str
    message: str


class Problem(TypedDict):
    """What went wrong. `detail` is for people; `errors` is there for input whose faults have a place."""

    type: str
    title: str
    status: int
    detail: str
    errors: NotRequired[list[Fault]]


def problem(status: int, title: str, detail: str, errors: Sequence[dict[str, str]] = ()) -> dict[str, Any]:
    """The document, a `Problem`; `errors` is left out where empty."""
    document: dict[str, Any] = {"type": "about:blank", "title": title, "status": status, "detail": detail}
    return document | {"errors": list(errors)} if errors else document
