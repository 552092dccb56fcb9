"""Problems of files of requests, and of options of single rows."""

from rowcast.client.errors import NotFound, Unavailable, Unprocessable


class UnknownFile(NotFound):
    """No file of requests has this id, or it belongs to another API key."""


class FilesFull(Unprocessable):
    """The API key has as many files of requests as it may have."""


class WrongRequests(Unprocessable):
    """A line of a file is not a request, or asks for something else than the first line."""


class WorkersOutdated(Unavailable):
    """A worker of an older release would ignore an option of a single row."""
