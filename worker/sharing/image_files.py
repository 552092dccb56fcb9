"""Image files: files in memory that every process of a worker has open, each empty or with the image of one model.

The main process makes them before it forks. They have no name in any folder, so nothing is left behind when the
processes are killed, and no other user can write what is unpickled from them.

Locks of the kernel say which files are in use; they end with their process. A process holds a shared lock of a file as
long as it has the image in memory, and an exclusive one while it writes the file. The locks are those of fcntl, which
belong to a process (a flock would belong to all processes of a fork). They are on a separate file: a process loses its
locks of a file when it closes any descriptor of it, as a mapping does.
"""

import fcntl
import hashlib
import mmap
import os
import struct
import tempfile
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

_HEADER = struct.Struct("<Q32s")
"""Length of the image, 0 while it is written; and the digest of its key."""

_FIRST_KEY_BYTE = 1024
"""Bytes of the file of locks from here on are those of keys, bytes before are those of image files."""

Write = Callable[[BinaryIO], None]


@dataclass(frozen=True)
class Image:
    """An image in memory. As long as its `content` is referenced, its file is not written."""

    #: Changes of it stay in this process.
    content: memoryview


class ImageFiles:
    """The image files of one worker."""

    def __init__(self, count: int) -> None:
        self._files = [_file_in_memory(f"image-{number}") for number in range(count)]
        self._locks = _file_in_memory("locks")
        #: How often this process has each image in memory.
        self._used: Counter[int] = Counter()

    @contextmanager
    def alone(self, key: str) -> Iterator[None]:
        """Lets one process at a time into the block for the key; others wait."""
        place = _FIRST_KEY_BYTE + int.from_bytes(_digest(key)[:4], "big")
        fcntl.lockf(self._locks, fcntl.LOCK_EX, 1, place)
        try:
            yield
        finally:
            fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, place)

    def find(self, key: str) -> Image | None:
        """Returns the key's image, if there is one."""
        for number in range(len(self._files)):
            if self._lock(number, fcntl.LOCK_SH):
                if (length := self._length_of(number, key)) > 0:
                    return self._mapped(number, length)
                self._unlock(number)
        return None

    def write(self, key: str, write: Write) -> Image | None:
        """Writes an image into a file that no process uses, and returns it; None if all are used or memory is full."""
        empty_first = sorted(range(len(self._files)), key=lambda number: os.fstat(self._files[number]).st_size)
        number = next((number for number in empty_first if self._lock(number, fcntl.LOCK_EX)), None)
        if number is None:
            return None
        try:
            length = self._fill(number, key, write)
        except BaseException as error:
            self._empty(number)
            self._unlock(number)
            if isinstance(error, OSError):  # for example, the file system's limit is reached
                return None
            raise
        fcntl.lockf(self._locks, fcntl.LOCK_SH, 1, number)
        return self._mapped(number, length)

    def _fill(self, number: int, key: str, write: Write) -> int:
        self._empty(number)
        with open(self._files[number], "r+b", closefd=False) as file:
            file.seek(_HEADER.size)
            write(file)
            length = file.seek(0, os.SEEK_END)
        os.pwrite(self._files[number], _HEADER.pack(length, _digest(key)), 0)
        return length

    def _empty(self, number: int) -> None:
        os.ftruncate(self._files[number], 0)

    def _length_of(self, number: int, key: str) -> int:
        """Returns the length of the file's image; 0 if it has none, or another key's."""
        header = os.pread(self._files[number], _HEADER.size, 0)
        if len(header) < _HEADER.size:
            return 0
        length, digest = _HEADER.unpack(header)
        return int(length) if digest == _digest(key) else 0

    def _mapped(self, number: int, length: int) -> Image:
        mapping = mmap.mmap(self._files[number], length, access=mmap.ACCESS_COPY)
        self._used[number] += 1
        weakref.finalize(mapping, self._release, number).atexit = False
        return Image(memoryview(mapping)[_HEADER.size :])

    def _release(self, number: int) -> None:
        """Unlocks the file, and returns its memory if no other process uses it."""
        self._used[number] -= 1
        if not self._used[number]:
            if self._lock(number, fcntl.LOCK_EX):
                self._empty(number)
            self._unlock(number)

    def _lock(self, number: int, kind: int) -> bool:
        """Locks a file, unless another process prevents it. A process keeps the lock of a file that it uses already."""
        if self._used[number]:
            return kind == fcntl.LOCK_SH
        try:
            fcntl.lockf(self._locks, kind | fcntl.LOCK_NB, 1, number)
        except OSError:
            return False
        return True

    def _unlock(self, number: int) -> None:
        if not self._used[number]:
            fcntl.lockf(self._locks, fcntl.LOCK_UN, 1, number)


def _file_in_memory(name: str) -> int:
    """Returns a file without a name. Outside Linux it is on the disk."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(f"rowcast-{name}")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
