"""The root of the error tree: what every error carries, and the table of all types."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

PREFIX = "urn:rowcast:problem:"
"""Stands before each slug in a problem's `type`."""


class RowcastError(Exception):
    """Something went wrong inside Rowcast. The caller did not cause it."""

    # The root of all errors that Rowcast raises on purpose. `docs/errors.md` prints the docstring of each class as its
    # cause, so docstrings in this package are written for users.

    slug: ClassVar[str] = "internal-error"
    """The end of the problem's `type`. Programs depend on it, so a released slug never changes."""

    title: ClassVar[str] = "Internal error"
    """The type in a few words, which are the same for each occurrence (RFC 9457 §3.1.3)."""

    remedy: ClassVar[str] = "Try again. If that does not help, report it with its `request_id`. The log has the cause."
    """What the user can do, in Markdown with code spans only."""

    retry_after_seconds: int | None = None
    """Seconds after which a caller should try again. None if waiting does not help."""

    def __init__(self, detail: str, errors: Sequence[Mapping[str, str]] = (), *, public: str | None = None) -> None:
        """`detail` is for the log. `public` replaces it for callers, if `detail` names addresses or folders.

        `errors` lists each fault that has a place, for example `{"where": "age", "message": "must be a number"}`.
        """
        super().__init__(detail)
        self.detail = detail
        self.public = public or detail
        self.errors = [dict(error) for error in errors]

    @classmethod
    def at(cls, where: str, message: str) -> Self:
        """Returns an error with one fault; `where` is an option's name, a path in the JSON or a row."""
        return cls(f"{where}: {message}", [{"where": where, "message": message}])

    @classmethod
    def problem_type(cls) -> str:
        """Returns the `type` of this error's problem documents, for example `urn:rowcast:problem:no-key`."""
        return PREFIX + cls.slug

    @classmethod
    def cause(cls) -> str:
        """Returns the docstring as one line: it says to users what causes the error."""
        return " ".join((inspect.getdoc(cls) or "").split())

    def recorded(self) -> dict[str, Any]:
        """Returns the error in the form that a job's record holds.

        `api/error_responses.py` completes it to a problem document.
        """
        document: dict[str, Any] = {"type": self.problem_type(), "detail": self.public}
        return document | {"errors": self.errors} if self.errors else document


def types(root: type[RowcastError] = RowcastError) -> Iterator[type[RowcastError]]:
    """Yields `root` and its subclasses, parents first. Classes that inherit their slug are left out."""
    if "slug" in vars(root):
        yield root
    for child in root.__subclasses__():
        yield from types(child)
