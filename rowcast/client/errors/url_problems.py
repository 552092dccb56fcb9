"""Problems of jobs whose files are given by URL."""

from rowcast.client.errors import Unprocessable
from rowcast.client.errors.problems import InputLost


class FileUnreadable(Unprocessable):
    """The service may not read or write the place of a URL, or the file is not a CSV."""


class HeaderDiffers(Unprocessable):
    """A file has other columns than the first one of its job."""


class InputChanged(InputLost):
    """A file was changed after the job had been planned."""


class NoFilesFound(Unprocessable):
    """The URL of the input leads to no file, or no file matches its pattern."""


class OutputExists(Unprocessable):
    """The folder of the output is not empty."""


class UrlRefused(Unprocessable):
    """A URL is not valid, or the service does not allow it."""
