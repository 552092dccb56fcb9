"""A disk that can lose its power: a file system in a file, of which only what was synced or written back is left.

The kernel's call for shutting down a file system, with which the kernel's own tests make such crashes, lets it write
nothing any more. Mounting it again reads what had reached the disk.
"""

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from programs import until

_SHUT_DOWN = 0x8004587D
"""`EXT4_IOC_SHUTDOWN`, `_IOR('X', 125, __u32)` (linux/ext4.h)."""

_WITHOUT_FLUSH = 2
"""`EXT4_GOING_FLAGS_NOLOGFLUSH`: not even the journal is written."""

SIZE_BYTES = 256 * 1024**2


def missing_tool(*tools: str) -> str | None:
    """Returns what a test with these tools lacks here, as a reason to skip it."""
    if os.geteuid() != 0:
        return "only root may mount a disk and watch programs"
    return next((f"there is no {tool} here" for tool in tools if shutil.which(tool) is None), None)


class CrashingDisk:
    """A file system, mounted at `folder`. The programs that use it must end between `cut` and `mount`."""

    def __init__(self, image: Path, folder: Path) -> None:
        self._image, self.folder = image, folder
        with image.open("wb") as file:
            file.truncate(SIZE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", image], check=True)
        folder.mkdir()
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", self._image, self.folder], check=True)

    def sync(self) -> None:
        """Writes everything to the disk."""
        subprocess.run(["sync", "--file-system", self.folder], check=True)

    def cut(self) -> None:
        """Cuts the power. Nothing that is written now, or was only in the kernel's memory, is on the disk."""
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUT_DOWN, struct.pack("I", _WITHOUT_FLUSH))
        finally:
            os.close(descriptor)

    def unmount(self) -> None:
        """Waits for the ends of programs that were killed."""
        command = ["umount", str(self.folder)]
        until(lambda: subprocess.run(command, check=False, capture_output=True).returncode == 0, "all have ended")


@contextmanager
def crashing_disk(folder: Path) -> Iterator[CrashingDisk]:
    disk = CrashingDisk(folder / "image", folder / "disk")
    try:
        yield disk
    finally:
        disk.unmount()
