"""Storage for the gateway: calls run in threads, so that a slow disk or bucket delays only its own request.

obstore waits outside Python, where gevent cannot switch to another request. Without threads each call would stop all
other requests until it returns. Calls of buckets have their own threads: while a bucket hangs, they are taken for half
a minute, and what is compressed or read from a folder must not wait for one.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gevent
from gevent.threadpool import ThreadPool

from rowcast.storage import Storage, Sync

BUCKET_THREADS = 64
"""Calls of one bucket that may wait at a time. A thread that waits costs little memory and no time."""


class ThreadedStorage(Storage):
    """A storage whose calls let other greenlets run until they return."""

    def __init__(self, location: str, on_error: Callable[[], None] = lambda: None, *, syncs: bool = True) -> None:
        super().__init__(location, on_error, syncs=syncs)
        self._pool = None if self._folder else ThreadPool(BUCKET_THREADS)

    def _call(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return _Task(self._pool, call, *arguments).wait()

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Does the same as `Storage.put`, in a thread."""
        self._call(super().put, key, data)

    def put_early(self, key: str, data: bytes) -> Sync:
        """Does the same as `Storage.put_early`, and returns while a thread syncs the object."""
        self._call(partial(self._put, syncs_later=True), key, data)
        return _Task(self._pool, self._sync, key)

    def create(self, key: str, data: bytes) -> bool:
        """Does the same as `Storage.create`, in a thread."""
        return bool(self._call(super().create, key, data))

    def swap(self, key: str, expected: bytes | None, data: bytes) -> bool:
        """Does the same as `Storage.swap`, in a thread."""
        return bool(self._call(super().swap, key, expected, data))

    def get(self, key: str) -> bytes:
        """Does the same as `Storage.get`, in a thread."""
        return bytes(self._call(super().get, key))

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Does the same as `Storage.get_range`, in a thread."""
        return bytes(self._call(super().get_range, key, start, length))

    def presigned_urls(self, keys: Sequence[str], seconds: int) -> list[str]:
        """Does the same as `Storage.presigned_urls`, in a thread: the credentials may have to be fetched."""
        return list(self._call(super().presigned_urls, keys, seconds))

    def entries(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Does the same as `Storage.entries`, in a thread."""
        found = super().entries(prefix)
        yield from self._call(lambda: list(found))

    def folders(self, prefix: str = "") -> list[str]:
        """Does the same as `Storage.folders`, in a thread."""
        return list(self._call(super().folders, prefix))

    def delete(self, key: str, *, syncs: bool = True) -> None:
        """Does the same as `Storage.delete`, in a thread."""
        self._call(partial(super().delete, syncs=syncs), key)

    def _delete_all(self, keys: list[str]) -> None:
        self._call(super()._delete_all, keys)


class _Task(Sync):
    """A call that runs in a thread of a pool."""

    def __init__(self, pool: ThreadPool | None, call: Callable[..., Any], *arguments: Any) -> None:
        """Starts the call. `pool` None is that of the program."""

        def run() -> tuple[Any, Exception | None]:
            try:
                return call(*arguments), None
            except Exception as error:  # handed over, because gevent prints exceptions even if they are caught
                return None, error

        chosen = gevent.get_hub().threadpool if pool is None else pool  # an idle pool counts as false
        self._result = chosen.spawn(run)

    @property
    def has_ended(self) -> bool:
        return bool(self._result.ready())

    def wait(self) -> Any:
        """Returns or raises what the call does."""
        try:
            answer, error = self._result.get()
        finally:
            self._result.wait()  # if the greenlet is killed here, its clean-up starts after the call has ended
        if error is not None:
            raise error
        return answer


def in_thread(call: Callable[..., Any], *arguments: Any) -> Any:
    """Runs `call` in a thread of gevent's pool, and returns or raises what it does."""
    return _Task(None, call, *arguments).wait()
