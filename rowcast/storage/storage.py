"""Storage: objects by key, in a folder or in a bucket (S3, GCS, Azure Blob).

A key is a relative path with `/`, for example `jobs/a/header`. A put is atomic: a reader sees the whole object or none.
Objects in a folder are on disk when their put returns, and outlive a power cut (`durable_files.py`).
"""

import errno
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore

from rowcast.errors import StoreUnavailable
from rowcast.storage.bucket import is_missing, open_bucket, presigned_urls, swap, unavailable
from rowcast.storage.durable_files import DurableFiles

_URL = re.compile(r"^[a-z0-9]+://")


_PIECE_BYTES = 8 * 1024**2
"""A file is written in pieces of this size."""

_ONE_PUT_BYTES = 16 * 1024**2
"""Larger objects are sent to a bucket in pieces, and appear when they are complete. Each has the time of an attempt."""

_FAILED = "The store cannot be reached, read or written."
_FULL = "The store has no space left."


class Disk(NamedTuple):
    """The space of a file system, in bytes."""

    size: int
    free: int


class Sync:
    """The sync of an object that has been put; here, one that has ended."""

    @property
    def has_ended(self) -> bool:
        """Whether `wait` would return at once."""
        return True

    def wait(self) -> None:
        """Waits until the object outlives a power cut. Raises Unavailable if it cannot be synced."""


class Storage:
    """Reads and writes the objects of one folder or bucket.

    Raises:
        Unavailable: from any method, if the folder or the bucket cannot be reached, read or written.
    """

    def __init__(self, location: str, on_error: Callable[[], None] = lambda: None, *, syncs: bool = True) -> None:
        """Opens a store.

        Args:
            location: a folder (made if it is missing) or a URL that obstore knows, as `s3://bucket/prefix`.
            on_error: called before a call raises Unavailable, in the thread of the call.
            syncs: whether objects in a folder are on disk when their put returns.
        """
        self.location, self._on_error = location, on_error
        self._folder = None if _URL.match(location) else Path(location).absolute()
        self._files = DurableFiles(self._folder, syncs=syncs) if self._folder else None
        try:
            self._store = _open(location, self._folder)
        except (BaseError, OSError) as error:
            detail = f"The store {location} cannot be opened: {error}"
            raise StoreUnavailable(detail, public="The store cannot be opened.") from error

    @property
    def is_folder(self) -> bool:
        """Whether the objects are files of a folder; otherwise they are in a bucket."""
        return self._folder is not None

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        """Writes the object, and replaces an existing one."""
        self._put(key, data)

    def put_early(self, key: str, data: bytes) -> Sync:
        """Writes the object, and may return while the disk still writes.

        Until `wait` of what is returned has returned, a power cut may leave a part of the object under its name.
        """
        self._put(key, data, syncs_later=True)
        return _LaterSync(partial(self._sync, key)) if self._files and self._files.syncs else Sync()

    def put_file(self, key: str, file: BinaryIO) -> None:
        """Writes the object from an open file, in constant memory. It appears when it is complete."""
        with self._errors(key):
            if self._files:
                self._files.write(key, iter(partial(file.read, _PIECE_BYTES), b""))
            else:
                obstore.put(self._store, key, file, use_multipart=True, chunk_size=_PIECE_BYTES, max_concurrency=2)

    def create(self, key: str, data: bytes) -> bool:
        """Writes the object if it does not exist, and returns whether it did. Of two concurrent calls, one succeeds."""
        try:
            with self._errors(key):
                if self._files:
                    self._files.write(key, [data], replaces=False)
                else:
                    obstore.put(self._store, key, data, mode="create", use_multipart=False)
        except FileExistsError:
            return False
        return True

    def swap(self, key: str, expected: bytes | None, data: bytes) -> bool:
        """Writes the object if its content is `expected` (None: if it does not exist). Returns whether it did.

        Of two concurrent calls that expect the same, one succeeds.
        """
        if expected is None:
            return self.create(key, data)
        with self._errors(key):
            return self._files.swap(key, expected, data) if self._files else swap(self._store, key, expected, data)

    def get(self, key: str) -> bytes:
        """Reads the whole object.

        Raises:
            FileNotFoundError: the object does not exist.
        """
        with self._errors(key):
            if self._folder:  # obstore copies what it has read, and wakes a thread for each call
                return _file(self._folder, key).read_bytes()
            return obstore.get(self._store, key).bytes().to_bytes()

    def get_range(self, key: str, start: int, length: int) -> bytes:
        """Reads `length` bytes from offset `start`.

        Raises:
            FileNotFoundError: the object does not exist.
        """
        with self._errors(key):
            return obstore.get_range(self._store, key, start=start, length=length).to_bytes()

    def presigned_urls(self, keys: Sequence[str], seconds: int) -> list[str]:
        """Returns for each object of a bucket a URL with which anyone can read it, until it expires.

        A folder has none. Whether the objects exist is not checked.
        """
        with self._errors(keys[0]):
            return presigned_urls(self._store, keys, seconds)

    def entries(self, prefix: str) -> Iterator[tuple[str, int]]:
        """Returns (key, length in bytes) of every object below the folder `prefix`, unordered. It may be missing."""
        with self._errors(prefix):
            pages = list(obstore.list(self._store, prefix=prefix))
        for page in pages:
            for entry in page:
                yield entry["path"], entry["size"]

    def folders(self, prefix: str = "") -> list[str]:
        """Returns the names of the folders directly below `prefix` ("" is the top), sorted."""
        with self._errors(prefix):
            found = obstore.list_with_delimiter(self._store, prefix=prefix or None)
        return sorted(Path(path).name for path in found["common_prefixes"])

    def delete(self, key: str, *, syncs: bool = True) -> None:
        """Removes the object, and its folders if they are empty then. It is not an error if it does not exist.

        If not `syncs`, it may be back after a power cut.
        """
        with suppress(FileNotFoundError), self._errors(key):
            obstore.delete(self._store, key)
        if self._files and syncs:
            with self._errors(key):
                self._files.sync_removal(key)

    def delete_folder(self, prefix: str) -> int:
        """Removes every object below the folder and returns their number. After a power cut, some may be back."""
        keys = [key for key, _ in self.entries(prefix)]
        if self._folder:
            for key in keys:
                self.delete(key, syncs=False)
            shutil.rmtree(self._folder / prefix, ignore_errors=True)  # unlisted partial writes of a killed process
        elif keys:
            self._delete_all(keys)
        return len(keys)

    def _delete_all(self, keys: list[str]) -> None:
        """Removes objects of a bucket, up to a thousand by one request."""
        with self._errors(keys[0]):
            obstore.delete(self._store, keys)

    def delete_partial_writes(self, key: str) -> None:
        """Removes partial writes of this object by killed processes: in a folder, `KEY#1`, `KEY#2` and so on.

        A put of this object that is still running fails.
        """
        if self._folder:
            with self._errors(key):
                for file in (self._folder / key).parent.glob(f"{Path(key).name}#*"):
                    file.unlink(missing_ok=True)

    def disk(self) -> Disk | None:
        """Returns the space of the folder's file system; None if the store is a bucket, or its folder is lost."""
        if self._folder is None:
            return None
        try:
            usage = shutil.disk_usage(self._folder)
        except OSError:
            return None
        return Disk(usage.total, usage.free)

    def check(self) -> None:
        """Writes, reads and removes a small object under a new key, so that two checks may run at the same time.

        Raises:
            Unavailable: one of these fails.
        """
        key = f".check-{uuid.uuid4().hex}"
        self.put(key, b"ok")
        if self.get(key) != b"ok":
            raise StoreUnavailable(f"The store {self.location} returned other bytes than were written.")
        self.delete(key)

    def _put(self, key: str, data: bytes | bytearray | memoryview, *, syncs_later: bool = False) -> None:
        with self._errors(key):
            if self._files:
                self._files.write(key, [data], syncs_later=syncs_later)
            else:
                pieces = len(data) > _ONE_PUT_BYTES
                obstore.put(self._store, key, data, use_multipart=pieces, chunk_size=_PIECE_BYTES, max_concurrency=2)

    def _sync(self, key: str) -> None:
        if self._files:
            with self._errors(key):
                self._files.sync(key)

    @contextmanager
    def _errors(self, key: str) -> Iterator[None]:
        """Translates obstore's errors to StoreUnavailable, except `FileNotFoundError` and `FileExistsError`."""
        try:
            yield
        except (AlreadyExistsError, FileExistsError):
            raise FileExistsError(key) from None
        except FileNotFoundError as error:
            if self._folder or not is_missing(error):
                raise FileNotFoundError(key) from None
            self._on_error()
            raise unavailable(f"{self.location}/{key}", error) from error
        except (BaseError, OSError) as error:
            self._on_error()
            if self._folder is None:
                raise unavailable(f"{self.location}/{key}", error) from error
            reason = str(error).split("\n", 1)[0]
            detail = f"The store {self.location} failed at {key!r}: {reason}"
            raise StoreUnavailable(detail, public=_FULL if _is_full(error) else _FAILED) from error


def _file(folder: Path, key: str) -> Path:
    """Returns the object's file.

    Raises:
        FileNotFoundError: the key is that of a folder, or leads out of `folder`.
    """
    path = folder / key
    if ".." in path.parts or not path.is_relative_to(folder) or path.is_dir():
        raise FileNotFoundError(key)
    return path


class _LaterSync(Sync):
    """A sync that is done by `wait`, when the disk may have written most of the object."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync

    @property
    def has_ended(self) -> bool:
        return False

    def wait(self) -> None:
        self._sync()


def _open(location: str, folder: Path | None) -> ObjectStore:
    if folder is None:
        return open_bucket(location)
    return LocalStore(folder, mkdir=True, automatic_cleanup=True)


def _is_full(error: Exception) -> bool:
    """Returns whether the disk of the folder has no space. obstore passes the system's error on as text only."""
    numbers = (errno.ENOSPC, errno.EDQUOT)
    return getattr(error, "errno", None) in numbers or any(f"(os error {number})" in str(error) for number in numbers)
