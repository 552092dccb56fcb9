"""What the table of calls is written in: a call's parameters, bodies, answers and errors."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rowcast.errors import RowcastError

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
PROBLEM = "application/problem+json"
TAB_SEPARATED = "text/tab-separated-values"
CSV_TYPES = (
    CSV,
    "application/csv",
    TAB_SEPARATED,
    "application/vnd.ms-excel",
    "text/plain",
    "application/octet-stream",
)
"""Content types under which CSV files are sent, and gzip and zip files with one in them."""

Content = Mapping[str, Any]
"""By media type the type of what is sent, of which its schema is made; None is text."""


@dataclass(frozen=True)
class Parameter:
    """A query parameter or a request header, of a JSON schema."""

    name: str
    place: str
    about: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """What comes with a status, and the headers that matter."""

    about: str
    content: Content = field(default_factory=dict)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """A method of a route. The route's variables are not in it, nor the errors in which every call may end."""

    tag: str
    answers: Mapping[int, Answer]
    errors: tuple[type[RowcastError], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    bodies: Content = field(default_factory=dict)
    examples: Mapping[str, Any] = field(default_factory=dict)
    """Of bodies, by media type."""


def query(name: str, about: str, **schema: Any) -> Parameter:
    """A parameter in the query."""
    return Parameter(name, "query", about, schema)


def header(name: str, about: str, **schema: Any) -> Parameter:
    """A request header."""
    return Parameter(name, "header", about, {"type": "string"} | schema)
