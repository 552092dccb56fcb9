"""Frames: whole messages over a pipe, each with its length in front."""

import os
import select
import struct
import time

_LENGTH = struct.Struct("<Q")
_BLOCK = 1 << 20


def send(pipe: int, message: bytes) -> None:
    """Sends one message; BrokenPipeError where nobody reads any more."""
    for part in (_LENGTH.pack(len(message)), message):
        rest = memoryview(part)
        while rest:
            rest = rest[os.write(pipe, rest) :]


def receive(pipe: int, seconds: float | None = None, *, leaving: int | None = None) -> bytes:
    """Waits for one message.

    Raises:
        EOFError: the other side is gone, be it in the middle of a message.
        TimeoutError: the message was not there in time.
        ConnectionAbortedError: something came, or the end, on the pipe `leaving`.
    """
    deadline = None if seconds is None else time.monotonic() + seconds
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size, deadline, leaving))
    return _exactly(pipe, length, deadline, leaving)


def _exactly(pipe: int, count: int, deadline: float | None, leaving: int | None) -> bytes:
    received = bytearray()
    watched = [pipe] if leaving is None else [pipe, leaving]
    while len(received) < count:
        left = None if deadline is None else max(0, deadline - time.monotonic())
        ready, _, _ = select.select(watched, [], [], left)
        if not ready:
            raise TimeoutError
        if leaving in ready:
            raise ConnectionAbortedError
        block = os.read(pipe, min(count - len(received), _BLOCK))
        if not block:
            raise EOFError
        received += block
    return bytes(received)
