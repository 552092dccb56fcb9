"""Errors in a file of rows, which the caller can correct."""

from collections.abc import Mapping, Sequence

from rowcast.errors.request_errors import Unprocessable


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


class BrokenFile(Unprocessable):
    """The Parquet file or Excel workbook cannot be read: it is damaged, cut off, or needs what is not supported."""

    slug = "broken-file"
    title = "File cannot be read"
    remedy = "Open the file with the program that wrote it, save it again, and send that; or send the table as CSV."


class WrongRequests(Unprocessable):
    """A line of a batch's file is not a request, or asks for another model or other options than the first line."""

    slug = "wrong-requests"
    title = "Wrong lines in a file of requests"
    remedy = "Correct the lines that `errors` lists, and make a batch of the new file. `/docs/doors` has the form."


class FilesFull(Unprocessable):
    """The API key has as many files of requests as it may have, or as many bytes in them."""

    slug = "files-full"
    title = "Too many files of requests"
    remedy = (
        "Delete files that no batch needs with `DELETE /v1/files/ID`, or wait until they expire. The message names the "
        "setting that raises the limit."
    )

    def __init__(self, caller: str, has: str, setting: str) -> None:
        """`has` is what there may be, for example `1,000 files`. `caller` is for example `This API key`."""
        super().__init__(
            f"{caller} has {has} of requests, the most that {setting} allows. Delete files that no batch needs "
            "(DELETE /v1/files/ID), or ask the operator to raise the setting."
        )


class WrongColumnType(Unprocessable):
    """A column of a Parquet file that the model needs has another type than at registration, or lists."""

    slug = "wrong-column-type"
    title = "Wrong type of a column"
    remedy = "Convert the column to the type that the message names, or drop the column if the model does not need it."


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


class CorrectionFault(Unprocessable):
    """A row that is sent to repair a job does not fit: it is not a bad row of the job, or its columns are others."""

    slug = "correction-fault"
    title = "Correction does not fit"
    remedy = (
        "Fetch the bad rows with `GET /jobs/ID/errors?as=input`, correct them in that file, and send it back. Keep the "
        "column `_row`."
    )


class MissingColumns(Unprocessable):
    """The header lacks columns that the model needs."""

    slug = "missing-columns"
    title = "Missing columns"
    remedy = (
        "Rename or add the columns. If the whole header is one column, name the `delimiter`; if the file has no header "
        "line, send `header=false`."
    )

    def __init__(
        self,
        columns: Sequence[str],
        nearest: Mapping[str, str | None],
        delimiter: str | None = None,
        needed_by: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Makes the message. `nearest` maps each missing column to the closest name in the header, or to None.

        `delimiter` is the one with which the header was read, in the form of the option, for example `tab`. If two
        models predict, `needed_by` maps each missing column to the models that need it.
        """
        self.columns, self.nearest = list(columns), dict(nearest)
        needing = {column: f" (needed by {' and '.join(models)})" for column, models in (needed_by or {}).items()}
        missing = {column: f"missing{needing.get(column, '')}" for column in columns}
        messages = {
            column: f"{text}; the nearest column is {nearest[column]!r}" if nearest.get(column) else text
            for column, text in missing.items()
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
    remedy = "Rename the column, choose another `prediction_column`, or rename the added column with `columns`."


class UnknownKeyColumn(Unprocessable):
    """The option `key` names a column that the header does not have."""

    slug = "unknown-key-column"
    title = "Unknown key column"
    remedy = "Name columns of the file in `key`; the message gives the nearest."
