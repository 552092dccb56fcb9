"""Stop signals: SIGINT, SIGTERM and SIGHUP as an event to wait for."""

import select
import signal
import socket
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class StopSignals:
    """A context of the main thread. `wait` returns at the first signal; each later signal calls `again`.

    It uses a byte in a socket pair. A signal handler that sets a `threading.Event` can deadlock on the event's lock.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, again: Callable[[], None] | None = None) -> None:
        self._again = again
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        for number in self.NUMBERS:
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # started with nohup
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._reader.close()
        self._writer.close()

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Waits up to the timeout; returns whether a stop signal has arrived."""
        readable, _, _ = select.select([self._reader], [], [], timeout_seconds)
        return bool(readable)

    def call_again(self, again: Callable[[], None]) -> None:
        """Sets the function that each signal after the first calls."""
        self._again = again

    def _handle(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked and self._again:
            self._again()
        if not self._asked:
            self._asked = True
            self._writer.send(b".")
