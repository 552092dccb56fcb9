"""The root of the error tree: what every error carries, and the table of all types."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

PREFIX = "urn:rowcast:problem:"
"""Stands before each slug in a problem's `type`."""


class RowcastError(Exception):
    """Something went wrong inside Rowcast, which is not the caller's fault."""

    # The root of all errors that Rowcast raises on purpose. `docs/errors.md` prints the docstring of each class as its
    # cause, so they are written for users.

    slug: ClassVar[str] = "internal-error"
    """The stable end of the problem's `type`. Programs switch on it: it is never changed once it is released."""

    title: ClassVar[str] = "Internal error"
    """A few words, the same for each occurrence (RFC 9457 §3.1.3)."""

    remedy: ClassVar[str] = "Try again. If that does not help, report it with its `request_id`: the log has the cause."
    """What the user can do, in Markdown with code spans only."""

    retry_after_seconds: int | None = None
    """When it is worth trying again; None if waiting does not help."""

    def __init__(self, detail: str, errors: Sequence[Mapping[str, str]] = (), *, public: str | None = None) -> None:
        """`detail` is for the log. `public` is for callers, if `detail` names addresses or folders.

        `errors` lists each fault that has a place as `{"where": ..., "message": ...}`.
        """
        super().__init__(detail)
        self.detail = detail
        self.public = public or detail
        self.errors = [dict(error) for error in errors]

    @classmethod
    def at(cls, where: str, message: str) -> Self:
        """One fault at one place: an option's name, a path in the JSON, a row."""
        return cls(f"{where}: {message}", [{"where": where, "message": message}])

    @classmethod
    def problem_type(cls) -> str:
        """The `type` of its problem documents."""
        return PREFIX + cls.slug

    @classmethod
    def cause(cls) -> str:
        """When it is raised, in a sentence or two for users."""
        return " ".join((inspect.getdoc(cls) or "").split())

    def recorded(self) -> dict[str, Any]:
        """The error as a job's record holds it; `api/error_responses.py` makes a whole problem document of it."""
        document: dict[str, Any] = {"type": self.problem_type(), "detail": self.public}
        return document | {"errors": self.errors} if self.errors else document


def types(root: type[RowcastError] = RowcastError) -> Iterator[type[RowcastError]]:
    """The class and all that are derived from it and have a slug of their own, parents first."""
    if "slug" in vars(root):
        yield root
    for child in root.__subclasses__():
        yield from types(child)
