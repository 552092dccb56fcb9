"""What can go wrong, one name a fault; every error carries what it knows and speaks in one sentence.

    RowcastError
    ├── BadSetting(name, value, takes)
    ├── BadKeysFile(file, line, takes)
    ├── Refused                     the request is wrong; the caller can mend it
    │   ├── Unreadable              it could not be read at all: broken JSON, gzip, multipart, a body cut short
    │   ├── Unprocessable           readable but wrong: columns, values, options
    │   │   ├── MissingColumns(columns, nearest)
    │   │   └── NotUtf8(offset)
    │   ├── TooLarge(what, limit, setting)
    │   └── UnsupportedType(content_type)
    ├── NoKey                       no API key came, or none that is known
    ├── Forbidden                   the key is known, and may not do this
    ├── RateLimited(limit, retry_after_seconds)
    ├── NotFound                    there never was such a job, model or version
    ├── Gone                        there was, and it has expired or was deleted
    ├── NotAcceptable               the caller accepts no form that there is
    ├── WrongState                  the job is not in a state for this
    ├── Unavailable                 Redis or the store is away; try again later
    │   └── QueueFull
    ├── ResultLost                  a part of a result cannot be made again
    └── ModelRefused                a model file that must not be opened: digest, signature or library version

None of them knows HTTP: `api/errors.py` maps each to its status.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self


class RowcastError(Exception):
    """The root of all errors that Rowcast raises on purpose.

    `public` is the detail for callers from outside, where `detail` names addresses or folders.
    """

    def __init__(self, detail: str, *, public: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.public = public or detail


class BadSetting(RowcastError):
    """A setting's value does not fit; one line that names setting, value and what it takes."""

    def __init__(self, name: str, value: object, takes: str) -> None:
        super().__init__(f"{name}={value!s} does not fit: {takes}")
        self.name, self.value, self.takes = name, value, takes


class BadKeysFile(RowcastError):
    """The file of API keys does not fit; one line that names the file, its line (None: all of it) and what it takes."""

    def __init__(self, file: object, line: int | None, takes: str) -> None:
        super().__init__(f"{file}{'' if line is None else f', line {line}'}: {takes}")
        self.file, self.line, self.takes = file, line, takes


class Refused(RowcastError):
    """The request is wrong. `errors` lists each fault as `{"where": ..., "message": ...}`."""

    def __init__(self, detail: str, errors: Sequence[Mapping[str, str]] = ()) -> None:
        super().__init__(detail)
        self.errors = [dict(error) for error in errors]

    @classmethod
    def at(cls, where: str, message: str) -> Self:
        """One fault at one place: an option's name, a path in the JSON, a row."""
        return cls(f"{where}: {message}", [{"where": where, "message": message}])


class Unreadable(Refused):
    """The request could not be read: JSON that is no JSON, gzip that is no gzip, a body that breaks off."""


class Unprocessable(Refused):
    """Readable but wrong: columns, values, options."""


class MissingColumns(Unprocessable):
    """The header lacks columns of the model. `nearest` maps each to the closest name that is there, or to None."""

    def __init__(self, columns: Sequence[str], nearest: Mapping[str, str | None]) -> None:
        self.columns, self.nearest = list(columns), dict(nearest)
        messages = {
            column: f"missing; the nearest column is {nearest[column]!r}" if nearest.get(column) else "missing"
            for column in columns
        }
        named = ", ".join(f"{column!r} is {message}" for column, message in messages.items())
        super().__init__(
            f"The header lacks columns that the model needs: {named}.",
            [{"where": f"header.{column}", "message": message} for column, message in messages.items()],
        )


class NotUtf8(Unprocessable):
    """The input is not UTF-8; `offset` is that of the first byte that is not, from 0, in the decompressed input."""

    def __init__(self, offset: int) -> None:
        super().__init__(
            f"The input is not UTF-8: the byte at offset {offset} does not fit.",
            [{"where": f"byte {offset}", "message": "not UTF-8"}],
        )
        self.offset = offset


class TooLarge(Refused):
    """Over a limit. `what` names the thing and its unit, `setting` the setting that raises the limit."""

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(f"{what} is over the limit of {limit} ({setting}).")
        self.what, self.limit, self.setting = what, limit, setting


class UnsupportedType(Refused):
    """A content type or encoding that this call does not take."""


class NoKey(RowcastError):
    """No API key came with the request, or none that is known."""


class Forbidden(RowcastError):
    """The key is known, and may not do this."""


class RateLimited(RowcastError):
    """More requests than a key may make in a minute; `retry_after_seconds` says when the next may come."""

    def __init__(self, limit: int, retry_after_seconds: int) -> None:
        super().__init__(f"Over {limit} requests a minute with this key (ROWCAST_RATE_LIMIT).")
        self.limit, self.retry_after_seconds = limit, retry_after_seconds


class NotFound(RowcastError):
    """There never was such a job, model, version or alias (or it is somebody else's)."""


class Gone(RowcastError):
    """The job expired or was deleted."""


class WrongState(RowcastError):
    """The job is not in a state for this.

    `problem` is the job's own error, where it has one; `retry_after_seconds` says that waiting helps.
    """

    def __init__(
        self, detail: str, problem: Mapping[str, Any] | None = None, retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(detail)
        self.problem, self.retry_after_seconds = problem, retry_after_seconds


class NotAcceptable(RowcastError):
    """The caller accepts no form in which this can be given."""


class Unavailable(RowcastError):
    """Redis or the store is away, or the queue is full; `retry_after_seconds` says when to come back."""

    def __init__(self, detail: str, retry_after_seconds: int = 5, *, public: str | None = None) -> None:
        super().__init__(detail, public=public)
        self.retry_after_seconds = retry_after_seconds


class QueueFull(Unavailable):
    """There are as many jobs as may be that have not ended yet."""


class ResultLost(RowcastError):
    """A part of a result is gone or damaged, and cannot be made again."""


class ModelRefused(RowcastError):
    """A model that a worker must not open: its digest, its signature or its library versions do not match."""
