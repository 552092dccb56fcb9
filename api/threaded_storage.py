"""Storage for the gateway: calls run in threads, so that a slow disk or bucket delays only its own request.

obstore waits outside Python, where gevent cannot switch to another request. Without threads each call would stop all
other requests until it returns. Calls of buckets have their own threads: while a bucket hangs, they are taken for half
a minute, and what is compressed or read from a folder must not wait for one.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import gevent
from gevent.event import AsyncResult
from gevent.threadpool import ThreadPool

from rowcast.errors import Unavailable
from rowcast.logs import logger
from rowcast.storage import Storage, Sync

BUCKET_THREADS = 64
"""Calls of one bucket that may wait at a time. A thread that waits costs little memory and no time."""

PATIENCE_SECONDS = 0.5
"""How long a request waits for the registry's bucket, if the object was read before."""

KNOWN_SECONDS = 300.0
"""How long an object that was read before is served in place of the bucket's answer."""

_SHADOWS = "/shadows.json"

_OF_EACH_REQUEST = ("/aliases.json", "/manifest.json", _SHADOWS)
"""The objects of a registry that requests for predictions read."""


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


class RegistryBucket(ThreadedStorage):
    """The bucket of a registry. While it is slow or away, aliases and manifests are served as they were read last.

    A request waits at most half a second for such an object. The answer replaces what is known when it comes.
    """

    def __init__(self, location: str) -> None:
        super().__init__(location)
        self._known: dict[str, tuple[float, bytes | None]] = {}
        """Key → when it was read, on the monotonic clock, and its content; None if there was no such object."""
        self._reading: dict[str, AsyncResult] = {}
        """Key → the read that goes on."""

    def get(self, key: str) -> bytes:
        """Does the same as `Storage.get`, but may return what was read before."""
        if not key.endswith(_OF_EACH_REQUEST):
            return super().get(key)
        read_at, content = self._known.get(key, (float("-inf"), None))
        is_known = time.monotonic() - read_at < KNOWN_SECONDS
        reading = self._reading.get(key)
        if reading is None:
            reading = self._reading[key] = AsyncResult()
            gevent.spawn(self._read, key, reading)
        elif is_known:  # another request waits for it, or has waited
            return _found(key, content)
        reading.wait(PATIENCE_SECONDS if is_known else None)
        try:
            return bytes(reading.get(block=False))
        except (gevent.Timeout, Unavailable) as reason:
            if not is_known:
                raise
            why = "slow" if isinstance(reason, gevent.Timeout) else reason.detail
            logger("gateway").warning("registry_not_read", key=key, reason=why)
            return _found(key, content)

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Does the same as `Storage.put`. What is known of the object is read again."""
        super().put(key, data)
        self._forget(key)

    def swap(self, key: str, expected: bytes | None, data: bytes) -> bool:
        """Does the same as `Storage.swap`. What is known of the object is read again."""
        try:
            return super().swap(key, expected, data)
        finally:
            self._forget(key)

    def delete(self, key: str, *, syncs: bool = True) -> None:
        """Does the same as `Storage.delete`."""
        super().delete(key, syncs=syncs)
        self._forget(key)

    def _read(self, key: str, reading: AsyncResult) -> None:
        try:
            content = super().get(key)
        except Exception as error:
            if isinstance(error, FileNotFoundError):
                self._known.pop(key, None)
                if (
                    key.endswith(_SHADOWS) and self._reading.get(key) is reading
                ):  # most models have none, and only names of models are looked up
                    self._known[key] = (time.monotonic(), None)
            reading.set_exception(error)
        else:
            if self._reading.get(key) is reading:  # else the object was written meanwhile
                self._known[key] = (time.monotonic(), content)
            reading.set(content)
        if self._reading.get(key) is reading:
            del self._reading[key]

    def _forget(self, key: str) -> None:
        self._known.pop(key, None)
        self._reading.pop(key, None)


def _found(key: str, content: bytes | None) -> bytes:
    if content is None:
        raise FileNotFoundError(key)
    return content


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
