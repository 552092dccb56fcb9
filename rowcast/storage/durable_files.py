"""Files below one folder. They are on disk once they are written, so they outlive a power cut.

A file is written under another name, `NAME#1` or the next free number, synced, and renamed. Then its folder is synced.
A reader, also one after a power cut, sees the whole file or none.
"""

import errno
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_KNOWN_FOLDERS = 1_000
"""Number of folders that are remembered, so that their parents are not synced at each write."""

_PARTIAL = re.compile(r"#\d+$")

_START_WRITING = getattr(os, "POSIX_FADV_DONTNEED", None)
"""Lets Linux begin to write to the disk, without waiting for it; what is not written yet stays in memory."""

_sync_data = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class DurableFiles:
    """Writes and removes the files below `folder`, which is made if it is missing.

    Raises:
        OSError: from any method. A write that raises leaves no file behind, and an old file as it was.
    """

    def __init__(self, folder: Path, *, syncs: bool) -> None:
        """Prepares to write. If not `syncs`, nothing is synced, and a power cut may take files."""
        self._folder, self.syncs = folder, syncs
        self._known: set[str] = set()
        """Folders whose own names are on disk."""

    def write(
        self,
        key: str,
        blocks: Iterable[bytes | bytearray | memoryview],
        *,
        replaces: bool = True,
        syncs_later: bool = False,
    ) -> None:
        """Writes a file from its blocks, in place of an existing one.

        If `syncs_later`, the caller calls `sync`. Before that, a power cut may leave a part of the file under its name.

        Raises:
            FileExistsError: the file exists, and `replaces` is false.
        """
        path = self._path(key)
        descriptor, partial = self._open_partial(path)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(blocks)
                file.flush()
                if self.syncs and syncs_later:
                    _start_writing(file.fileno())
                elif self.syncs:
                    _sync_data(file.fileno())
            if replaces:
                partial.replace(path)
            else:
                path.hardlink_to(partial)
                partial.unlink(missing_ok=True)
        except FileNotFoundError:
            raise OSError(errno.ESTALE, "The file was removed while it was written", str(partial)) from None
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        if not syncs_later:
            self._sync_names(path.parent)

    def swap(self, key: str, expected: bytes, data: bytes) -> bool:
        """Writes a file if its content is `expected`, and returns whether it did. Other swaps of the file wait."""
        path = self._path(key)
        with _locked(path), suppress(FileNotFoundError):
            if path.read_bytes() == expected:
                self.write(key, [data])
                return True
        return False

    def sync(self, key: str) -> None:
        """Lets a file outlive a power cut that was written with `syncs_later`, unless it was removed meanwhile."""
        path = self._path(key)
        with suppress(FileNotFoundError):
            if self.syncs:
                with path.open("rb") as file:
                    _sync_data(file.fileno())
        self._sync_names(path.parent)

    def sync_removal(self, key: str) -> None:
        """Lets the removal of a file outlive a power cut. Its folder may be gone, too."""
        self._sync_names(self._path(key).parent)

    def _path(self, key: str) -> Path:
        """Returns the path of a file, which is always below the folder."""
        names = key.split("/")
        if {"", ".", ".."} & {*names} or _PARTIAL.search(key):
            raise OSError(errno.EINVAL, "Not a valid key", key)
        return self._folder / key

    def _open_partial(self, path: Path) -> tuple[int, Path]:
        number = 1
        while True:
            partial = path.with_name(f"{path.name}#{number}")
            try:
                return os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666), partial
            except FileExistsError:  # another process is writing the same file, or was killed
                number += 1
            except FileNotFoundError:  # also if another process has just removed the folder, because it was empty
                self._make_folder(path.parent)

    def _make_folder(self, folder: Path) -> None:
        self._known.difference_update(str(one) for one in (folder, *folder.parents) if not one.exists())
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError:
            raise NotADirectoryError(errno.ENOTDIR, "Not a folder", str(folder)) from None

    def _sync_names(self, folder: Path) -> None:
        """Syncs a folder, and the parents of those folders that may not be on disk: this or another process made them.

        Nothing is known of a folder at the first write, so that all of its parents are synced then. If the folder was
        removed, its parent has that to sync.
        """
        if not self.syncs:
            return
        while not _sync_folder(folder):
            folder = folder.parent
        for one in (folder, *folder.parents):
            if str(one) in self._known:
                return
            try:
                _sync_folder(one.parent)
            except OSError:
                if one.is_relative_to(self._folder) and one != self._folder:
                    raise  # above the store, a folder may be closed to this process
            if len(self._known) >= _KNOWN_FOLDERS:
                self._known.clear()
            self._known.add(str(one))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Holds the lock of a file: `NAME#0`, which is empty and stays. The system unlocks it if the process dies."""
    import fcntl  # not on Windows, where no registry is written

    try:
        descriptor = os.open(path.with_name(f"{path.name}#0"), os.O_RDWR | os.O_CREAT, 0o666)
    except FileNotFoundError:  # without its folder there is no file to compare
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _start_writing(descriptor: int) -> None:
    if _START_WRITING is not None:
        os.posix_fadvise(descriptor, 0, 0, _START_WRITING)


def _sync_folder(folder: Path) -> bool:
    """Syncs a folder. Returns whether it exists."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return False
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that syncs no folders, as some of networks do not
            raise
    finally:
        os.close(descriptor)
    return True
