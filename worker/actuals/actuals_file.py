"""A file of actuals that is being read. Its rows are bounded, because the reader has each row in memory."""

import io

import numpy as np

from rowcast.csv import scan
from rowcast.errors import TooLarge
from worker.conversion.source_file import Pieces, SourceFile


class ActualsFile(SourceFile):
    """The actuals of one job.

    Raises:
        TooLarge: when it is read, if a row is too long. The others are those of `SourceFile`.
    """

    def __init__(self, files: Pieces, id: str, length_bytes: int, delimiter: str, max_row_bytes: int) -> None:
        """`length_bytes` is the length of the whole file, and `max_row_bytes` the maximum of a row."""
        super().__init__(files, id, length_bytes)
        self._delimiter, self._max_row_bytes = delimiter, max_row_bytes
        self._unended, self._rows = b"", 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Goes to another place, at which a row has to begin, and returns it."""
        self._unended, self._rows = b"", 0
        return super().seek(offset, whence)

    def read(self, size: int | None = -1) -> bytes:
        """Returns the next `size` bytes, or fewer at the end; the rest if `size` is negative."""
        block = super().read(size)
        data = self._unended + block
        inside = scan.quoted(data, self._delimiter)
        lines = scan.lines(data, inside, self._delimiter, final=False)
        long = np.flatnonzero(lines.stops - lines.starts > self._max_row_bytes)
        if len(long) or len(data) - lines.rest > self._max_row_bytes:
            row = self._rows + (int(long[0]) if len(long) else len(lines))  # the header line is row 0
            advice = "; is a quote not closed?" if inside.is_open and not len(long) else ""
            self.error = TooLarge(f"Row {row} (bytes{advice})", self._max_row_bytes, "ROWCAST_MAX_ROW_BYTES")
            raise self.error
        self._unended, self._rows = data[lines.rest :], self._rows + len(lines)
        return block
