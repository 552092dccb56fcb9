"""A source as a file that can be read at any place. Only what is asked for is in memory, and one block."""

import io
from typing import Protocol

from rowcast.errors import InputLost
from rowcast.jobs.job_files import SOURCE_PIECE_BYTES

_BLOCK_BYTES = 256 * 1024
"""Least number of bytes that are read from the store at once."""


class Pieces(Protocol):
    """Where the pieces of sources are: the files of jobs, or those of requests."""

    def get_source(self, id: str, piece: int, start: int, length: int) -> bytes:
        """Reads a range of one piece. Raises FileNotFoundError if it is missing."""


class SourceFile(io.RawIOBase):
    """The source of one job, or a file of requests.

    Raises:
        InputLost: when it is read, if the store has lost a piece. Unavailable: the store cannot be read.
    """

    def __init__(self, files: Pieces, id: str, length_bytes: int) -> None:
        """`length_bytes` is the length of the whole source."""
        self._files, self._id, self._length = files, id, length_bytes
        self._place = 0
        self._held, self._held_from = b"", 0
        self.error: Exception | None = None
        """What reading raised: a library that reads the file may raise another error instead."""

    def readable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def tell(self) -> int:
        """Returns the place at which it is read next."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to another place, and returns it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._length}[whence]
        self._place = max(0, start + offset)
        return self._place

    def read(self, size: int | None = -1) -> bytes:
        """Returns the next `size` bytes, or fewer at the end; the rest if `size` is negative."""
        left = max(0, self._length - self._place)
        wanted = left if size is None or size < 0 else min(size, left)
        pieces = []
        while wanted:
            pieces.append(data := self._some(wanted))
            self._place += len(data)
            wanted -= len(data)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def readinto(self, buffer: "bytearray | memoryview[int]") -> int:  # type: ignore[override]
        """Fills the buffer as far as there are bytes, and returns their number."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _some(self, wanted: int) -> bytes:
        """Returns at most `wanted` bytes, and at least one."""
        at = self._place - self._held_from
        if 0 <= at < len(self._held):
            return self._held[at : at + wanted]
        piece, start = divmod(self._place, SOURCE_PIECE_BYTES)
        end = min(SOURCE_PIECE_BYTES, self._length - piece * SOURCE_PIECE_BYTES)
        length = min(max(wanted, _BLOCK_BYTES), end - start)
        try:
            data = self._files.get_source(self._id, piece, start, length)
        except FileNotFoundError:
            self.error = InputLost("The file is missing from the store. Send it again.")
            raise self.error from None
        except Exception as error:
            self.error = error
            raise
        if wanted < _BLOCK_BYTES:
            self._held, self._held_from = data, self._place
        return data[:wanted]
