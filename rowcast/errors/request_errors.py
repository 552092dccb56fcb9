"""Errors in a request, which the caller can correct, and errors in what a program is started with."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rowcast.errors.root import RowcastError


class Refused(RowcastError):
    """The request is wrong."""

    slug = "refused"
    title = "Refused"
    remedy = "Correct the request as `detail` and `errors` say."


class Unreadable(Refused):
    """The request could not be read at all."""

    slug = "unreadable"
    title = "Unreadable request"
    remedy = "Correct the body as `detail` says, and send it again."


class NotJson(Unreadable):
    """The body, or a line of NDJSON, is not valid JSON: bad syntax, `NaN`, a key that occurs twice, or not UTF-8."""

    slug = "not-json"
    title = "Not JSON"
    remedy = "Write the body with a JSON library, in UTF-8; write a missing number as `null`."


class BrokenForm(Unreadable):
    """The body is not valid multipart/form-data."""

    slug = "broken-form"
    title = "Broken form"
    remedy = "Let a library or `curl -F file=@in.csv` write the form and its Content-Type with the boundary."


class BrokenCompression(Unreadable):
    """The compressed body is damaged, ends too early, or is suspiciously large when it is decompressed."""

    slug = "broken-compression"
    title = "Broken compression"
    remedy = "Compress the file again, or send it without compression and without `Content-Encoding`."


class BodyCutShort(Unreadable):
    """The body was cut off, or stalled, before its end. None of it was kept."""

    slug = "body-cut-short"
    title = "Body cut short"
    remedy = "Send the file again. If it happens again, check the time limits of proxies in between."


class Unprocessable(Refused):
    """The request could be read, but something in it is not valid."""

    slug = "invalid-request"
    title = "Invalid request"
    remedy = "Correct what `errors` lists, and send the request again."


class UnknownOption(Unprocessable):
    """The request has an option or parameter that does not exist."""

    slug = "unknown-option"
    title = "Unknown option"
    remedy = "Use the nearest name, which the message gives, or remove the option. `/docs` lists all options."


class OptionValue(Unprocessable):
    """An option, a parameter or a header has a value that is not valid, or is given more than once."""

    slug = "option-value"
    title = "Invalid value of an option"
    remedy = "Use a value that the message describes, and give each option once."


class OptionUnsuitable(Unprocessable):
    """An option is valid, but not for this kind of body, or not for this model."""

    slug = "option-unsuitable"
    title = "Option does not apply"
    remedy = "Remove the option, or choose the body or the model that it applies to."


class NoDefaultModel(Unprocessable):
    """The request does not name a model, and the default model does not exist."""

    slug = "no-default-model"
    title = "No default model"
    remedy = "Name one of the models with `model`, or start the service with `ROWCAST_DEFAULT_MODEL`."

    #: The largest number of names in the message.
    _SHOWN = 20

    def __init__(self, wanted: str, names: list[str]) -> None:
        #: The names of all models.
        self.names = names
        if names:
            more = f" and {len(names) - self._SHOWN} more" if len(names) > self._SHOWN else ""
            message = (
                f"the default model {wanted!r} does not exist; name one of {', '.join(names[: self._SHOWN])}{more}"
            )
        else:
            message = "no model is registered yet; add one with `rowcast models add` or `rowcast train`"
        super().__init__(f"model: {message}", [{"where": "model", "message": message}])


class KeyReused(Unprocessable):
    """The Idempotency-Key was used before with a different request."""

    slug = "idempotency-key-reused"
    title = "Idempotency-Key reused"
    remedy = "Use a new key for a new request. To repeat a request, send exactly the same bytes and options."


class BodyShape(Unprocessable):
    """The JSON body does not have the structure that this call expects."""

    slug = "body-shape"
    title = "Wrong structure of the body"
    remedy = 'Send `{"features": ...}` for one row or `{"instances": [...]}` for many, as `/docs` shows.'


class RowValues(Unprocessable):
    """A row in the JSON body does not fit the model: a value has the wrong type, is missing, or is one too many."""

    slug = "row-values"
    title = "Values do not fit the model"
    remedy = "Correct the values that `errors` lists. `GET /models/NAME/versions/VERSION` lists the features."


class NoFile(Unprocessable):
    """The form has no part called `file` with a file name, or a file in another part."""

    slug = "no-file"
    title = "No file in the form"
    remedy = "Send the file in the part `file`, for example `curl -F file=@in.csv`."


class EmptyFile(Unprocessable):
    """The file is empty, or has a header line and no rows."""

    slug = "empty-file"
    title = "Empty file"
    remedy = "Check that you sent the right file, and that the file is complete."


class LineEndsLost(EmptyFile):
    """The file is one line without a line end, so it has a header and no rows. `curl -d @FILE` removes line ends."""

    slug = "line-ends-lost"
    title = "Line ends lost"
    remedy = "Send the file with `--data-binary @FILE` instead of `-d @FILE`, or as a form: `-F file=@FILE`."


class NotText(Unprocessable):
    """The file is not text: it contains a NUL byte, or starts like a file of another format."""

    slug = "not-text"
    title = "Not a text file"
    remedy = "Save the table as CSV in UTF-8, and send that."


class NotUtf8(Unprocessable):
    """The file has a byte that is not valid in its encoding, which is UTF-8 unless `encoding` names another."""

    slug = "not-utf8"
    title = "Not UTF-8"
    remedy = "Save the file as UTF-8, or name its encoding: `encoding=windows-1252` for most files from Windows."

    def __init__(self, offset: int, where: str, message: str) -> None:
        """`offset` is the position of the first byte that is not valid, from 0, in the decompressed file."""
        super().__init__(f"{where}: {message}.", [{"where": where, "message": message}])
        self.offset = offset


class CsvSyntax(Unprocessable):
    """The file breaks the rules of CSV (RFC 4180).

    A quote is never closed, or the header line contains a carriage return.
    """

    slug = "csv-syntax"
    title = "Broken CSV"
    remedy = "Correct the place that the message names. A quote inside a quoted field must be doubled."


class MissingColumns(Unprocessable):
    """The header lacks columns that the model needs."""

    slug = "missing-columns"
    title = "Missing columns"
    remedy = (
        "Rename or add the columns. If the whole header is one column, name the `delimiter`; if the file has no header "
        "line, send `header=false`."
    )

    def __init__(self, columns: Sequence[str], nearest: Mapping[str, str | None], delimiter: str | None = None) -> None:
        """Makes the message. `nearest` maps each missing column to the closest name in the header, or to None.

        `delimiter` is the one with which the header was read, in the form of the option, for example `tab`.
        """
        self.columns, self.nearest = list(columns), dict(nearest)
        messages = {
            column: f"missing; the nearest column is {nearest[column]!r}" if nearest.get(column) else "missing"
            for column in columns
        }
        named = ", ".join(f"{column!r} is {message}" for column, message in messages.items())
        read = f" (read with the delimiter {delimiter})" if delimiter else ""
        super().__init__(
            f"The header lacks columns that the model needs{read}: {named}.",
            [{"where": f"header.{column}", "message": message} for column, message in messages.items()],
        )


class ColumnClash(Unprocessable):
    """Two columns have the same name: both are in the header, or one is and the result adds the other."""

    slug = "column-clash"
    title = "Column names clash"
    remedy = "Rename the column, or choose another `prediction_column`."


class UnknownKeyColumn(Unprocessable):
    """The option `key` names a column that the header does not have."""

    slug = "unknown-key-column"
    title = "Unknown key column"
    remedy = "Name columns of the file in `key`; the message gives the nearest."


class InvalidName(Unprocessable):
    """The name of a model, a version, an alias or an API key has characters or a length that are not allowed."""

    slug = "invalid-name"
    title = "Invalid name"
    remedy = "Choose a name that follows the rule in the message."


class TooLarge(Refused):
    """The request exceeds one of the service's limits."""

    slug = "too-large"
    title = "Too large"
    remedy = "Send less, or ask the operator to raise the setting that the message names."

    def __init__(self, what: str, limit: int, setting: str) -> None:
        """`what` names what is too large, and its unit. `setting` names the setting that raises the limit.

        If no setting can raise the limit, `setting` is `fixed`.
        """
        super().__init__(f"{what} is over the limit of {limit} ({setting}).")
        self.what, self.limit, self.setting = what, limit, setting


class UnsupportedType(Refused):
    """The call does not support this content type, content encoding or character set."""

    slug = "unsupported-type"
    title = "Unsupported type"
    remedy = "Send one of the types that the message lists, and name it in `Content-Type`."


class BadSetting(RowcastError):
    """The value of a setting is not valid. The program does not start."""

    slug: ClassVar[str] = "bad-setting"
    title = "Invalid setting"
    remedy = "Correct the environment variable that the message names."

    def __init__(self, name: str, value: object, takes: str) -> None:
        super().__init__(f"{name}={value!s} is not valid: {takes}")
        self.name, self.value, self.takes = name, value, takes


class BadKeysFile(RowcastError):
    """The file of API keys cannot be read, or a line of it is not valid."""

    slug: ClassVar[str] = "bad-keys-file"
    title = "Invalid file of API keys"
    remedy = "Correct the line that the message names, or make a new file with `rowcast keys new NAME`."

    def __init__(self, file: object, line: int | None, takes: str) -> None:
        """`line` is None if it concerns the whole file."""
        super().__init__(f"{file}{'' if line is None else f', line {line}'}: {takes}")
        self.file, self.line, self.takes = file, line, takes
