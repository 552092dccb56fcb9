"""The stop: running chunks get some time to end, and then Celery's own handler of the signal runs.

Celery waits for them within the handler, asleep, and ends its pool there. So a stop always took the whole time, however
soon the chunks ended. And a signal that arrived while the loop was writing a message into a process's pipe never ended
the worker: the process waited for the rest of the message, and the handler for that process. Here the loop goes on, and
the handler runs between two of its events.
"""

import signal
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from celery import bootsteps
from celery.worker import state

from worker.stop_flag import StopFlag

CHECK_SECONDS = 0.1
"""Time between two checks for a stop signal, and for the end of the last chunk."""

PATIENCE_SECONDS = 2.0
"""If the loop does not go on, for example because it waits for Redis, the handler runs this long after the grace."""

_NUMBERS = (signal.SIGTERM, signal.SIGQUIT)


class DeferredStop:
    """Takes the place of the present handlers of SIGTERM and SIGQUIT, and calls one of them once, from `check`.

    A second signal ends the grace. Needs no lock, which the interrupted code could be holding. Uses SIGALRM.
    """

    def __init__(self, grace_seconds: float, is_idle: Callable[[], bool], stop_flag: StopFlag) -> None:
        """`is_idle` is asked at each check after the signal. The handler is called when it says yes.

        The signal sets `stop_flag`, so that the worker's processes end after their present work.
        """
        self._grace_seconds, self._is_idle, self._stop_flag = grace_seconds, is_idle, stop_flag
        self._handlers: dict[int, Any] = {}
        self._asked: int | None = None
        self._until = 0.0

    def install(self) -> None:
        """Takes the place of the handlers."""
        for number in _NUMBERS:
            self._handlers[number] = signal.signal(number, self._ask)
        signal.signal(signal.SIGALRM, lambda *_: self._run())

    def check(self) -> None:
        """Calls the handler of a signal that has arrived, if the worker is idle or the grace is over."""
        if self._asked is not None and (self._is_idle() or time.monotonic() >= self._until):
            self._run()

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._stop_flag.set()
        grace = 0.0 if self._asked is not None else self._grace_seconds
        self._asked, self._until = number, time.monotonic() + grace
        signal.setitimer(signal.ITIMER_REAL, grace + PATIENCE_SECONDS)

    def _run(self) -> None:
        number, self._asked = self._asked, None
        signal.setitimer(signal.ITIMER_REAL, 0)
        for each, handler in self._handlers.items():
            signal.signal(each, handler)
        if number is not None:
            self._handlers[number](number, None)


def make_stop_step(grace_seconds: float, stop_flag: StopFlag) -> type[bootsteps.StartStopStep]:
    """Returns the step of the worker's main process that installs a `DeferredStop` after Celery's own handlers."""

    class DeferredStopStep(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Timer", "celery.worker.components:Pool")

        def start(self, worker: Any) -> None:
            stop = DeferredStop(grace_seconds, lambda: _is_idle(worker), stop_flag)
            stop.install()
            self._timer = worker.timer.call_repeatedly(CHECK_SECONDS, stop.check, priority=10)

        def stop(self, _worker: Any) -> None:
            self._timer.cancel()

    return DeferredStopStep


def _is_idle(worker: Any) -> bool:
    """Stops taking messages. Returns whether each one that was taken is done."""
    consumer = worker.consumer.task_consumer
    if consumer is not None:  # as it is while the worker has no connection
        consumer.cancel()
    return not state.reserved_requests
