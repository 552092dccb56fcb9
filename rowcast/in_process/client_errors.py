"""Errors of the service as those of the client, so that callers catch the same ones with and without a service."""

from collections.abc import Iterator
from contextlib import contextmanager

from rowcast.client.errors import ClientError, ServiceError
from rowcast.client.errors.problem_types import BY_TYPE
from rowcast.errors import RowcastError


@contextmanager
def raising_client_errors() -> Iterator[None]:
    """Raises the client's error of the same type in place of an error of the block."""
    try:
        yield
    except RowcastError as error:
        raise client_error(error) from error


def client_error(error: RowcastError) -> ClientError:
    """Returns the client's error of the same type. Its detail may name folders: the caller can read them."""
    kind = BY_TYPE.get(error.problem_type(), ServiceError)
    return kind(error.detail, {**error.recorded(), "title": error.title, "detail": error.detail})
