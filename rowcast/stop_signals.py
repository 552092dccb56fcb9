"""Stop signals: SIGINT, SIGTERM and SIGHUP as an event to wait for."""

import select
import signal
import socket
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self


class StopSignals:
    """A context of the main thread. `wait` returns at the first signal; each later signal calls `again`.

    It waits for a byte in a socket pair, which the interpreter writes the moment a signal arrives, in whatever thread.
    A Python handler would be too late: if the signal arrives just before the main thread blocks in `select`, or in
    another thread, the handler runs only after `select` has returned.
    """

    NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self, again: Callable[[], None] | None = None) -> None:
        self._again = again
        self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._reader, self._writer = socket.socketpair()
        self._writer.setblocking(False)  # as `set_wakeup_fd` requires
        self._descriptor_before = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
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
        signal.set_wakeup_fd(self._descriptor_before)
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
        self._asked = True
