"""The cache of compiled code: the folder in which numba keeps it, so that only the first process compiles.

numba reads the folder's name, `NUMBA_CACHE_DIR`, when it is imported, and takes only a folder in which it can write.
What it keeps is executable code in pickles, so only the user may be able to write there.

`python -m rowcast.compiled_cache` fills the folder, so that no program compiles when it starts.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile, mkdtemp

from rowcast.trees import compile_all as compile_trees
from rowcast.wording.quantity import counted

VARIABLE = "NUMBA_CACHE_DIR"

FOLDER = "numba"
"""Name of the cache in a data folder, and in the user's own folder of caches."""

_CODE = "*/*.nbc"
"""The files of compiled functions, one for each signature and processor."""

_INDEXES = "*/*.nbi"
"""The files that say which of these files has which function."""


@dataclass(frozen=True)
class CacheFolder:
    """A folder in which numba can write."""

    path: Path
    #: The folder that cannot be written, if this is a temporary copy of it.
    copy_of: Path | None = None


@contextmanager
def cache_folder(usual: Path | None = None) -> Iterator[CacheFolder | None]:
    """Sets `NUMBA_CACHE_DIR` for this process and its children, and yields the folder.

    A folder that is set already is used, otherwise `usual`, otherwise one among the user's caches. If it cannot be
    written, as in a read-only container, a copy in a temporary folder is used, which is removed at the end. Yields None
    if there is no temporary folder that can be written.
    """
    wanted = wanted_folder(usual)
    if _is_writable(wanted):
        os.environ[VARIABLE] = str(wanted)
        yield CacheFolder(wanted)
        return
    try:
        temporary = mkdtemp(prefix="rowcast-numba-")
    except OSError:
        yield None
        return
    try:
        _copy_code(wanted, Path(temporary))
        os.environ[VARIABLE] = temporary
        yield CacheFolder(Path(temporary), copy_of=wanted)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def compile_all(*, trees: bool = True) -> None:
    """Compiles every compiled function, or loads it from the cache; those of `rowcast/trees` only with `trees`.

    Raises:
        ImportError: numba is not installed.
    """
    from rowcast.csv import number_cells  # the command line imports this module, and needs no numpy
    from rowcast.scoring.drift import bin_counter

    if trees:
        compile_trees()
    number_cells.load()
    bin_counter.load()


def compile_into(folder: Path, *, trees: bool = True) -> int:
    """Does what `compile_all` does, with the folder as the cache. Returns how many functions were compiled.

    If several processes start at the same time, one compiles, and the others wait and load.

    Raises:
        ImportError: numba is not installed.
    """
    with _locked(folder):
        before = sum(1 for _ in folder.glob(_CODE))
        compile_all(trees=trees)
        return sum(1 for _ in folder.glob(_CODE)) - before


def has_code(folder: Path) -> bool:
    """Returns whether the folder has compiled code, though perhaps for another processor or release."""
    return any(folder.glob(_CODE))


def wanted_folder(usual: Path | None = None) -> Path:
    """Returns the folder that is used if it can be written: the one that is set, `usual`, or the user's own."""
    return Path(os.environ.get(VARIABLE) or usual or _users_folder()).expanduser().absolute()


def _users_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rowcast" / FOLDER


def _copy_code(source: Path, target: Path) -> None:
    """Copies what can be read. The permissions of the source do not count for the copy."""
    for file in [*source.glob(_CODE), *source.glob(_INDEXES)]:
        copy = target / file.relative_to(source)
        copy.parent.mkdir(mode=0o700, exist_ok=True)
        with suppress(OSError):
            shutil.copyfile(file, copy)


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Holds the folder's lock. On a system or file system without such locks, nothing is locked."""
    with (folder / "lock").open("a") as file:
        with suppress(ImportError, OSError):
            import fcntl  # not on Windows

            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Compiles what the cache does not have, says how much that was, and returns the exit code."""
    try:
        with cache_folder() as folder:
            if folder is None or folder.copy_of is not None:
                print(f"The folder cannot be written. Choose another one with {VARIABLE}.", file=sys.stderr)
                return 2
            compiled = compile_into(folder.path)
    except (ImportError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print(outcome(compiled, folder.path))
    return 0


def outcome(compiled: int, folder: Path) -> str:
    """Returns in a sentence what the program did."""
    return f"Compiled {counted(compiled, 'function')} into {folder}." if compiled else f"{folder} is complete."


if __name__ == "__main__":
    sys.exit(main())
