"""Storage for the gateway: calls run in threads, so that a slow disk or bucket delays only its own request.

obstore waits outside Python, where gevent cannot switch to another request. Without threads each call would stop all
other requests until it returns.
"""

from collections.abc import Callable, Iterator
from typing import Any

import gevent

from rowcast.storage import Storage


class ThreadedStorage(Storage):
    """A storage whose calls let other greenlets run until they return."""

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Does the same as `Storage.put`, in a thread."""
        in_thread(super().put, key, data)

    def create(self, key: str, data: bytes) -> bool:
        """Does the same as `Storage.create`, in a thread."""
        return bool(in_thread(super().create, key, data))

    def get(self, key: str) -> bytes:
        """Does the same as `Storage.get`, in a thread."""
        return bytes(in_thread(super().get, key))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Does the same as `Storage.get_range`, in a thread."""
        return bytes(in_thread(super().get_range, key, start, length))

    def entries(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Does the same as `Storage.entries`, in a thread."""
        found = super().entries(prefix)
        yield from in_thread(lambda: list(found))

    def folders(self, prefix: str = "") -> list[str]:
        """Does the same as `Storage.folders`, in a thread."""
        return list(in_thread(super().folders, prefix))

    def delete(self, key: str) -> None:
        """Does the same as `Storage.delete`, in a thread."""
        in_thread(super().delete, key)


def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Runs `call` in a thread of gevent's pool, and returns or raises what it does."""

    def run() -> tuple[Any, Exception | None]:
        try:
            return call(*arguments), None
        except Exception as error:  # handed over, because gevent prints exceptions even if they are caught
            return None, error

    task = gevent.get_hub().threadpool.spawn(run)
    try:
        answer, error = task.get()
    finally:
        task.wait()  # if the greenlet is killed here, its clean-up starts after the call has ended
    if error is not None:
        raise error
    return answer
