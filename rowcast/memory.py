"""Memory: how much a process has, and whether it keeps or returns what it has freed."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

MIB = 1024 * 1024
GIB = 1024 * MIB

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""The numbers of M_TRIM_THRESHOLD, M_MMAP_THRESHOLD and M_ARENA_MAX in mallopt(3)."""

_MADV_DONTNEED = 4
"""The number of MADV_DONTNEED in madvise(2)."""

_LARGE_BYTES = 32 * MIB
"""glibc's maximum for M_MMAP_THRESHOLD on 64-bit."""


def keep_memory(most_bytes: int) -> None:
    """Lets the process keep up to `most_bytes` of freed memory for its next buffers.

    By default, glibc returns large buffers to the kernel, which must clear the next ones. That takes a seventh of the
    time of a chunk.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has no mallopt
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, most_bytes)


def share_freed_memory() -> None:
    """Lets all threads of the process use the same freed memory. Call it before there are threads.

    By default, glibc has a heap for each of several threads, and each keeps what it has freed.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # another C library has no mallopt
        mallopt(_ARENA_MAX, 1)


def return_freed_memory() -> None:
    """Returns freed memory to the kernel, also where memory in use lies behind it."""
    malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if malloc_trim is not None:  # another C library has no malloc_trim
        malloc_trim(0)


def release_code() -> None:
    """Takes the code of libraries out of the process's memory. The kernel brings back what is executed again.

    Importing a library maps most of its code, although little of it ran. The code stays in the cache of files as long
    as the kernel has no other use for that memory. Outside Linux, nothing happens.
    """
    with suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None).madvise
        for line in Path("/proc/self/maps").read_text().splitlines():
            addresses, permissions, _, _, inode = line.split()[:5]
            if permissions == "r-xp" and inode != "0":  # code of a file, which no process has changed
                start, end = (int(address, 16) for address in addresses.split("-"))
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_DONTNEED)


def resident_bytes(pid: int) -> int | None:
    """Returns the resident memory of a process; None if it is gone, or outside Linux.

    Pages that processes share after a fork count for each of them.
    """
    with suppress(OSError, IndexError, ValueError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return None
