"""Termination: SIGTERM and SIGHUP as an exception, so that a command removes its temporary files and names its job."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """A signal asked the command to end. Not an `Exception`, so that nothing takes it for a fault and goes on."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        #: Exit code as a shell reports it: 128 and the number of the signal.
        self.exit_code = 128 + number


def _raise(number: int, _frame: FrameType | None) -> None:
    raise Terminated(number)


@contextmanager
def terminable() -> Iterator[None]:
    """Makes SIGTERM and SIGHUP raise `Terminated` in the block. A signal that is ignored (`nohup`) stays ignored."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # Python sets handlers only there
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            if number is not None and signal.getsignal(number) == signal.SIG_DFL:
                before[number] = signal.signal(number, _raise)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
