"""The watchdog: a thread of each worker process that renews its leases, and ends the process where work must not go on.

`predict` cannot be interrupted from Python. A chunk whose job was cancelled, or that takes longer than it may, is
therefore ended with its process; Celery starts a new one in its place. Where `predict` does not even let another thread
run, the kernel's alarm ends the process, a little later.

What could not be given back, as Redis was away, it gives back when Redis is there again.
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
from rowcast.jobs.records.leases import ChunkLease, Leases, RowLease
from rowcast.jobs.records.policy import STRIKES_OF_ERROR
from rowcast.logs import logger

GRACE_SECONDS = 0.5
"""How long a chunk that is not ours any more may go on: most end by themselves sooner than a process starts anew."""

EXIT_CODE = 70

_ALARM_SECONDS = 15
"""How much later than our own limit the alarm goes off."""


@dataclass
class _Hold:
    leases: Sequence[ChunkLease | RowLease]
    seconds: float
    deadline: float
    outer: "_Hold | None" = None
    """What the process has put aside for this; it is renewed as well."""
    lost: set[str] = field(default_factory=set)
    lost_at: float | None = None


class LeaseWatchdog:
    """Holds one piece of work at a time, as its process does, and what that was put aside for."""

    def __init__(self, leases: Leases, lease_seconds: float, chunk_timeout_seconds: float) -> None:
        self._leases = leases
        self._timeout_seconds = chunk_timeout_seconds
        self._pause_seconds = min(lease_seconds / 3, 0.5)
        self._hold: _Hold | None = None
        self._owed: deque[Callable[[], None]] = deque()
        self._paying = threading.Lock()
        self._changed = threading.Event()
        self._log = logger("watchdog")
        # billiard may have made it an exception, which is raised only when `predict` comes back.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        threading.Thread(target=self._run, name="watchdog", daemon=True).start()

    def release(
        self,
        leases: Sequence[ChunkLease | RowLease],
        document: Mapping[str, Any],
        *,
        strikes: int,
        delay_seconds: float = 0,
    ) -> None:
        """As `Leases.release`, now or as soon as Redis is there: a late renewal would keep the leases for long."""
        self._owed.append(partial(self._leases.release, leases, document, strikes=strikes, delay_seconds=delay_seconds))
        if not self._pay():
            self._changed.set()

    @contextmanager
    def holding(self, leases: Sequence[ChunkLease | RowLease], seconds: float | None = None) -> Iterator[None]:
        """Renews the leases until the block is left; for so many seconds at most, or as long as a chunk may take.

        A block within a block is work that comes between: the time that it takes is not counted against the outer one.
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
            self._pay()
            hold = self._hold
            if hold is not None:
                self._look(hold)

    def _pay(self) -> bool:
        """Gives back what is owed, as far as Redis lets it; answers whether that was all."""
        with self._paying:
            try:
                while self._owed:
                    self._owed[0]()
                    self._owed.popleft()
            except Unavailable as error:
                self._log.warning("lease_not_released", reason=error.detail)
            return not self._owed

    def _look(self, hold: _Hold) -> None:
        try:
            self._renew(hold)
            if hold.outer:
                self._renew(hold.outer)
        except Unavailable as error:
            self._log.warning("lease_not_renewed", reason=error.detail)
        now = time.monotonic()
        if len(hold.lost) == len(hold.leases) and hold.lost_at is None:
            hold.lost_at = now
        if self._hold is not hold:
            return
        if hold.lost_at is not None and now - hold.lost_at >= GRACE_SECONDS:
            self._end_process(hold, "work_cancelled")
        elif now > hold.deadline:
            timed_out = TimedOut(f"Scoring took longer than {hold.seconds:g} s (ROWCAST_CHUNK_TIMEOUT).")
            self._leases.release(hold.leases, timed_out.recorded(), strikes=STRIKES_OF_ERROR)
            self._end_process(hold, "work_timed_out")

    def _renew(self, hold: _Hold) -> None:
        hold.lost |= self._leases.renew(lease.member for lease in hold.leases if lease.member not in hold.lost)

    def _end_process(self, hold: _Hold, event: str) -> None:
        self._log.warning(event, leases=[lease.member for lease in hold.leases[:3]])
        os._exit(EXIT_CODE)
