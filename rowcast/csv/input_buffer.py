"""The bytes of an input that are still needed, while its rows are being found."""


class InputBuffer:
    """A stretch of the input. Offsets count in the whole input, so they stay valid when the first bytes are dropped."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.begin = 0
        """Offset of the first byte that is held."""
        self.row_start = 0
        """Offset of the first row that has not ended yet."""
        self.scanned = 0
        """Offset up to which rows have been looked for."""

    @property
    def end(self) -> int:
        """Offset behind the last byte."""
        return self.begin + len(self._bytes)

    def append(self, block: bytes | memoryview) -> None:
        """Adds the next bytes of the input."""
        self._bytes += block

    def first(self, count: int) -> bytes:
        """Returns the first bytes that are held, at most `count`."""
        return bytes(self._bytes[:count])

    def until(self, stop: int) -> bytes:
        """Returns the bytes that are held before the offset `stop`."""
        return bytes(memoryview(self._bytes)[: stop - self.begin])

    def from_row(self) -> bytes:
        """Returns the bytes from `row_start` on."""
        return bytes(memoryview(self._bytes)[self.row_start - self.begin :])

    def drop_until(self, offset: int) -> None:
        """Drops the bytes before the offset."""
        del self._bytes[: offset - self.begin]
        self.begin = offset
