"""Storage for the gateway: its calls run in threads, so that a slow disk or bucket holds up nobody but who asked.

obstore waits outside Python, where gevent cannot see it: each call would stop every other request until it returns.
"""

from collections.abc import Callable, Iterator
from typing import Any

import gevent

from rowcast.storage import Storage


class ThreadedStorage(Storage):
    """A storage each of whose calls lets other greenlets go on until it returns."""

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """As `Storage.put`."""
        in_thread(super().put, key, data)

    def create(self, key: str, data: bytes) -> bool:
        """As `Storage.create`."""
        return bool(in_thread(super().create, key, data))

    def get(self, key: str) -> bytes:
        """As `Storage.get`."""
        return bytes(in_thread(super().get, key))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """As `Storage.get_range`."""
        return bytes(in_thread(super().get_range, key, start, length))

    def entries(self, prefix: str) -> Iterator[tuple[str, int]]:
        """As `Storage.entries`."""
        found = super().entries(prefix)
        yield from in_thread(lambda: list(found))

    def folders(self, prefix: str = "") -> list[str]:
        """As `Storage.folders`."""
        return list(in_thread(super().folders, prefix))

    def delete(self, key: str) -> None:
        """As `Storage.delete`."""
        in_thread(super().delete, key)


def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Calls in a thread of gevent's pool, and answers or raises as the call does."""

    def run() -> tuple[Any, Exception | None]:
        try:
            return call(*arguments), None
        except Exception as error:  # handed over: gevent would print it, whoever catches it
            return None, error

    task = gevent.get_hub().threadpool.spawn(run)
    try:
        answer, error = task.get()
    finally:
        task.wait()  # a caller that is killed here cleans up after the call, not before it
    if error is not None:
        raise error
    return answer
