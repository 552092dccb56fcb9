"""The watchdog: a thread of each worker process that renews leases, and ends the process if its work must stop.

`predict` cannot be interrupted from Python. If a chunk's job is cancelled, or the chunk exceeds its time limit, the
watchdog therefore ends the whole process, and Celery starts a new one. If `predict` does not even let other threads
run, the kernel's alarm ends the process a little later.

Leases that could not be released because Redis was unreachable are released when Redis can be reached again.
"""

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rowcast.errors import TimedOut, Unavailable
from rowcast.jobs.records.leases import Lease, Leases
from rowcast.jobs.records.policy import STRIKES_OF_ERROR
from rowcast.logs import logger
from rowcast.tracing.origin import fields_of_each

GRACE_SECONDS = 0.5
"""Time that a chunk may go on after its lease is lost. Most chunks end sooner than a new process would start."""

EXIT_CODE = 70
"""Exit code of a process that the watchdog has ended."""

_ALARM_SECONDS = 15
"""Delay of the kernel's alarm after the time limit."""


@dataclass
class _Hold:
    """Leases that the process works on."""

    leases: Sequence[Lease]
    #: Time limit in seconds.
    seconds: float
    #: When the limit is reached, in `time.monotonic()` seconds.
    deadline: float
    #: The work that was interrupted for this; its leases are renewed as well.
    outer: "_Hold | None" = None
    #: Leases that this process no longer has, by name.
    lost: set[str] = field(default_factory=set)
    #: When the last lease was lost, in `time.monotonic()` seconds.
    lost_at: float | None = None


class LeaseWatchdog:
    """Watches one piece of work at a time, and the work that was interrupted for it."""

    def __init__(self, leases: Leases, lease_seconds: float, chunk_timeout_seconds: float) -> None:
        self._leases = leases
        self._timeout_seconds = chunk_timeout_seconds
        self._pause_seconds = min(lease_seconds / 3, 0.5)
        self._hold: _Hold | None = None
        self._owed: deque[Callable[[], None]] = deque()
        self._releasing = threading.Lock()
        self._changed = threading.Event()
        self._log = logger("watchdog")
        # billiard may have set a handler that raises an exception, which would wait until `predict` returns.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def release(
        self,
        leases: Sequence[Lease],
        document: Mapping[str, Any],
        *,
        strikes: int,
        delay_seconds: float = 0,
    ) -> None:
        """Releases leases as `Leases.release` does, now or as soon as Redis can be reached."""
        self._owed.append(partial(self._leases.release, leases, document, strikes=strikes, delay_seconds=delay_seconds))
        if not self._release_owed():
            self._changed.set()

    @contextmanager
    def holding(self, leases: Sequence[Lease], seconds: float | None = None) -> Iterator[None]:
        """Renews the leases until the block is left, for `seconds` at most (default: the time limit of a chunk).

        Without leases, only the time is limited.

        A block inside another block is work that interrupts the outer one. Its time does not count for the outer limit.
        """
        seconds, began = seconds or self._timeout_seconds, time.monotonic()
        outer = self._hold
        self._begin(_Hold(leases, seconds, began + seconds, outer))
        try:
            yield
        finally:
            if outer is None:
                self._hold = None
                signal.setitimer(signal.ITIMER_REAL, 0)
            else:
                outer.deadline += time.monotonic() - began
                self._begin(outer)

    def progress(self) -> None:
        """Notes that the work advances: its time limit begins again. For work that has many steps."""
        hold = self._hold
        if hold is not None:
            hold.deadline = time.monotonic() + hold.seconds
            self._begin(hold)

    def _begin(self, hold: _Hold) -> None:
        remaining = max(0.0, hold.deadline - time.monotonic())
        signal.setitimer(signal.ITIMER_REAL, remaining + _ALARM_SECONDS)
        self._hold = hold
        self._changed.set()

    def _run(self) -> None:
        while True:
            if self._hold is None and not self._owed:
                self._changed.wait()
            self._changed.clear()
            time.sleep(self._pause_seconds)
            self._release_owed()
            hold = self._hold
            if hold is not None:
                self._check(hold)

    def _release_owed(self) -> bool:
        """Releases the leases that are still to be released. Returns whether all were."""
        with self._releasing:
            try:
                while self._owed:
                    self._owed[0]()
                    self._owed.popleft()
            except Unavailable as error:
                self._log.warning("lease_not_released", reason=error.detail)
            return not self._owed

    def _check(self, hold: _Hold) -> None:
        try:
            self._renew(hold)
            if hold.outer:
                self._renew(hold.outer)
        except Unavailable as error:
            self._log.warning("lease_not_renewed", reason=error.detail)
        now = time.monotonic()
        if hold.leases and len(hold.lost) == len(hold.leases) and hold.lost_at is None:
            hold.lost_at = now
        if self._hold is not hold:
            return
        if hold.lost_at is not None and now - hold.lost_at >= GRACE_SECONDS:
            self._end_process(hold, "work_cancelled")
        elif now > hold.deadline:
            timed_out = TimedOut(f"Scoring took longer than {hold.seconds:g} s (ROWCAST_CHUNK_TIMEOUT_SECONDS).")
            self._leases.release(hold.leases, timed_out.recorded(), strikes=STRIKES_OF_ERROR)
            self._end_process(hold, "work_timed_out")

    def _renew(self, hold: _Hold) -> None:
        hold.lost |= self._leases.renew(lease.member for lease in hold.leases if lease.member not in hold.lost)

    def _end_process(self, hold: _Hold, event: str) -> None:
        about = fields_of_each([(lease.id, lease.origin) for lease in hold.leases])
        self._log.warning(event, leases=[lease.member for lease in hold.leases[:3]], **about)
        os._exit(EXIT_CODE)
