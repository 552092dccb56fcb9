"""Memory of a process that handles one large buffer after the other."""

import ctypes

MIB = 1024 * 1024

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""mallopt(3)'s names for what is set here."""

_LARGE_BYTES = 32 * MIB
"""The most that glibc lets the second be."""


def keep_memory(most_bytes: int) -> None:
    """Lets the process keep up to so much freed memory for its next buffers.

    glibc gives large buffers back to the kernel, which then clears new ones: a seventh of the time that a chunk takes.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:  # else: another C library
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, most_bytes)
