"""The URL of a webhook as jobs and logs show it: without what may be secret."""

from urllib.parse import urlsplit

HIDDEN = "***"
"""Stands for a query, which often has a token in it."""


def shown_url(url: str) -> str:
    """Returns the URL without user name and password, and with `***` for its query.

    For example `https://example.org/hook?***` for `https://user:password@example.org/hook?token=1`.
    """
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}{'?' + HIDDEN if parts.query else ''}"


def origin(url: str) -> str:
    """Returns scheme, host and port, for the log: a path may be secret, too."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
