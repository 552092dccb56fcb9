"""A part file: what is written before a file is complete, next to it and under another name.

Its program holds a lock on it, which ends with the program, however that ends. So the next program that writes the same
file recognises the part files of killed ones, and removes them.
"""

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ModuleNotFoundError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LONGEST_NAME = 200
"""Bytes of the file's name that are in the part file's, because file systems take 255."""


@contextmanager
def part_file(target: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Yields the path of a new part file of `target`, and the open file. It is locked until the end of the block.

    The block may close and rename the file. Otherwise the file is removed at the end.

    Raises:
        OSError: the file cannot be created.
    """
    _remove_abandoned(target)
    path, file = _create(target)
    lock = os.dup(file.fileno()) if fcntl else None  # so that it is still locked when the file is closed
    try:
        with file:
            yield path, file
    finally:
        path.unlink(missing_ok=True)
        if lock is not None:
            os.close(lock)


def _create(target: Path) -> tuple[Path, BinaryIO]:
    while True:
        path = target.with_name(f"{_prefix(target)}{uuid.uuid4().hex[:8]}.part")
        file = path.open("xb")
        if fcntl:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
            if not os.fstat(file.fileno()).st_nlink:  # another program removed it before it was locked
                file.close()
                continue
        return path, file


def _remove_abandoned(target: Path) -> None:
    """Removes the part files of `target` that no program has locked."""
    if not fcntl:
        return
    name = re.compile(re.escape(_prefix(target)) + r"[0-9a-f]{8}\.part")
    with suppress(OSError):  # for example a folder that cannot be listed
        for path in [path for path in target.parent.iterdir() if name.fullmatch(path.name)]:
            with suppress(OSError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _prefix(target: Path) -> str:
    return f".{os.fsencode(target.name)[:_LONGEST_NAME].decode(errors='ignore')}."
