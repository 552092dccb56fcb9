"""Log lines that programs keep in files: `PROGRAM.jsonl`, and the lines before those in `PROGRAM.1.jsonl`.

All processes of a program append to one file. When it is full, one of them renames it, and all begin a new one.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

MAX_BYTES = 16 * 2**20
"""Size at which a file is full."""

_ENDING, _ENDING_BEFORE = ".jsonl", ".1.jsonl"


class KeptLines:
    """The files of one program, to which this process appends. It may be used in several threads and after a fork."""

    def __init__(self, folder: Path, program: str, max_bytes: int = MAX_BYTES) -> None:
        """Opens the file, and makes the folder if it is missing; only its owner can read both.

        Raises:
            OSError: one of them cannot be made or written.
        """
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path, self._before = folder / f"{program}{_ENDING}", folder / f"{program}{_ENDING_BEFORE}"
        self._lock, self._max_bytes = folder / "lock", max_bytes
        self._file = self._open()

    def write(self, line: str) -> None:
        """Appends a line. Errors are ignored: a full disk must not make a request fail."""
        with suppress(OSError):
            if os.fstat(self._file).st_size >= self._max_bytes:
                self._begin_next()
            os.write(self._file, f"{line}\n".encode())

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _begin_next(self) -> None:
        """Renames the full file, unless another process or thread has done so, and opens the new one."""
        import fcntl  # not on Windows, where the command line may read such files

        with self._lock.open("w") as lock:  # closing it ends the lock
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.fstat(self._file).st_ino == self._path.stat().st_ino:
                self._path.replace(self._before)
            new = self._open()
            os.dup2(new, self._file, inheritable=False)  # so that a thread that writes now has a valid descriptor
            os.close(new)


class KeptLog:
    """Reads the files of all programs in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, tuple[int, int]] = {}
        """Inode of each file and how many of its bytes have been read."""

    def new_lines(self, about: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Yields the lines that contain a text of `about` and that were not read before: those of a program in order.

        The first call reads the files from their beginning.
        """
        wanted = [text.encode() for text in about]
        for path in self._folder.glob(f"*{_ENDING}"):
            if path.name.endswith(_ENDING_BEFORE):
                continue
            with path.open("rb") as file:
                inode, position = self._read.get(path, (None, 0))
                if os.fstat(file.fileno()).st_ino == inode:
                    file.seek(position)
                else:
                    before = path.with_name(path.name.removesuffix(_ENDING) + _ENDING_BEFORE)
                    yield from _rest(before, self._read.get(path), wanted)
                yield from _lines(file, wanted)
                self._read[path] = (os.fstat(file.fileno()).st_ino, file.tell())


def _rest(before: Path, read: tuple[int, int] | None, wanted: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """Yields the lines of a full file that were not read before it was renamed; all if nothing was read."""
    with suppress(FileNotFoundError), before.open("rb") as file:
        if read is not None and os.fstat(file.fileno()).st_ino == read[0]:
            file.seek(read[1])
        yield from _lines(file, wanted)


def _lines(file: BinaryIO, wanted: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """Yields the whole lines up to the end of the file. A line that is not JSON is left out."""
    while (line := file.readline()).endswith(b"\n"):
        if any(text in line for text in wanted):
            with suppress(ValueError):
                yield json.loads(line)
    file.seek(-len(line), os.SEEK_CUR)  # it is just being written
