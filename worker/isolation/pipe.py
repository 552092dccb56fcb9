"""Messages on a pipe: each one follows its length, 8 bytes, little-endian."""

import os
import select
import struct
import time
from collections.abc import Callable

_LENGTH = struct.Struct("<Q")
_BLOCK = 1 << 20
_LEAST_EXTENSION_SECONDS = 0.01


def send(pipe: int, message: bytes) -> None:
    """Sends one message.

    Raises:
        BrokenPipeError: the reading side is closed.
    """
    for part in (_LENGTH.pack(len(message)), message):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(pipe, rest) :]


def _none() -> float:
    return 0.0


def receive(
    pipe: int, seconds: float | None = None, *, leaving: int | None = None, excused: Callable[[], float] = _none
) -> bytes:
    """Waits for one message and returns it.

    Args:
        pipe: the file descriptor to read from.
        seconds: maximum time to wait; None means no limit.
        leaving: a second pipe to watch meanwhile.
        excused: returns how many of the seconds so far do not count; asked when the time is up.

    Raises:
        EOFError: the other side closed the pipe, before or within the message.
        TimeoutError: the message did not arrive in time.
        ConnectionAbortedError: data arrived on the pipe `leaving`, or it was closed.
    """
    limit = None if seconds is None else _Limit(seconds, excused)
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size, limit, leaving))
    return _exactly(pipe, length, limit, leaving)


class _Limit:
    """How long a message may take. It is extended by the seconds that are excused."""

    def __init__(self, seconds: float, excused: Callable[[], float]) -> None:
        self._end = time.monotonic() + seconds
        self._excused = excused
        self._excused_seconds = 0.0

    @property
    def left_seconds(self) -> float:
        return max(0.0, self._end + self._excused_seconds - time.monotonic())

    def extend(self) -> bool:
        """Returns whether there is time left, now that the limit has been reached."""
        self._excused_seconds = self._excused()
        return self.left_seconds > _LEAST_EXTENSION_SECONDS


def _exactly(pipe: int, count: int, limit: _Limit | None, leaving: int | None) -> bytes:
    received = bytearray()
    watched = [pipe] if leaving is None else [pipe, leaving]
    while len(received) < count:
        ready, _, _ = select.select(watched, [], [], limit.left_seconds if limit else None)
        if not ready:
            if limit and limit.extend():
                continue
            raise TimeoutError
        if leaving in ready:
            raise ConnectionAbortedError
        block = os.read(pipe, min(count - len(received), _BLOCK))
        if not block:
            raise EOFError
        received += block
    return bytes(received)
