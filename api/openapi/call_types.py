"""The parts of an OpenAPI entry, and the decorator that puts an entry on its view.

    @blueprint.delete("/<id>")
    @documented(Call("jobs", {204: Answer("The job was deleted.")}, LOOKUP_ERRORS))
    def delete_job(id: str) -> Response:
        ...

The first line of the view's docstring is the summary.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rowcast.errors import RowcastError

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
PARQUET = "application/vnd.apache.parquet"
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
"""Content types for CSV files, and for gzip and zip files that contain one."""

View = TypeVar("View", bound=Callable[..., Any])

Content = Mapping[str, Any]
"""Maps each media type to the Python type from which its schema is made. None means plain text."""

_ATTRIBUTE = "openapi_call"
"""Name of the attribute under which `documented` stores a view's entry."""


@dataclass(frozen=True)
class Parameter:
    """A query parameter or a request header. `schema` is its JSON schema."""

    name: str
    place: str
    about: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """The response with one status: what it means, its content and its most important headers."""

    about: str
    content: Content = field(default_factory=dict)
    headers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """The OpenAPI entry of one view.

    The variables of its path and its summary are not in it: they are read from the route and the docstring. The errors
    that every call may return because of API keys are not in it either.
    """

    tag: str
    answers: Mapping[int, Answer]
    errors: tuple[type[RowcastError], ...] = ()
    parameters: tuple[Parameter, ...] = ()
    bodies: Content = field(default_factory=dict)
    examples: Mapping[str, Any] = field(default_factory=dict)
    """An example of a request body for each media type."""


def documented(call: Call) -> Callable[[View], View]:
    """Returns a decorator that stores `call` on a view. It stands below the route's decorator."""

    def store(view: View) -> View:
        setattr(view, _ATTRIBUTE, call)
        return view

    return store


def call_of(view: Callable[..., Any]) -> Call:
    """Returns the entry of a view.

    Raises:
        LookupError: the view has no entry.
    """
    call: Call | None = getattr(view, _ATTRIBUTE, None)
    if call is None:
        name = f"{view.__module__}.{view.__name__}"
        raise LookupError(f"The view {name} has no OpenAPI entry: add @documented(Call(...)).")
    return call


def query(name: str, about: str, **schema: Any) -> Parameter:
    """Returns a query parameter."""
    return Parameter(name, "query", about, schema)


def header(name: str, about: str, **schema: Any) -> Parameter:
    """Returns a request header. Its schema is that of a string unless `schema` says otherwise."""
    return Parameter(name, "header", about, {"type": "string"} | schema)
