"""Errors of jobs whose files are given by URL."""

from rowcast.errors.request_errors import Unprocessable
from rowcast.errors.service_errors import InputLost


class UrlRefused(Unprocessable):
    """A URL of a job is not valid, or leads to a place that this service does not allow."""

    slug = "url-refused"
    title = "URL refused"
    remedy = (
        "Give a URL below one of the prefixes that the operator allows with `ROWCAST_INPUT_PREFIXES` or "
        "`ROWCAST_OUTPUT_PREFIXES`, without a user name, a query and `..`."
    )


class NoFilesFound(Unprocessable):
    """The URL of the input leads to no file, or no file matches its pattern."""

    slug = "no-files-found"
    title = "No files found"
    remedy = "Check the URL. A `*` stands for any characters of one name, but not for a slash."


class FileUnreadable(Unprocessable):
    """The service may not read or write the place of a URL, or the file has a format that is not read by URL."""

    slug = "file-unreadable"
    title = "File cannot be used"
    remedy = "Give the service the rights that the message names, or send the file as the body of `POST /predict`."


class HeaderDiffers(Unprocessable):
    """A file of the job has other columns than the first one, or another order of them."""

    slug = "header-differs"
    title = "Different columns"
    remedy = "Make one job of the files that have the same header line, and another one of the others."


class OutputExists(Unprocessable):
    """There are objects under the URL of the output."""

    slug = "output-exists"
    title = "Output exists"
    remedy = "Choose another `output_url`, or send `overwrite` to replace the result of an earlier job."


class InputChanged(InputLost):
    """A file was changed or removed after the job had been planned."""

    slug = "input-changed"
    title = "Input changed"
    remedy = "Send the request again when the files do not change any more. Predictions of both states are not mixed."
