"""Stale processes: those that a killed supervisor left running. They are found by a mark in their environment.

A mark names the run, the program and the data folder, for example `3f2a worker /home/ann/.rowcast`. Every process below
the supervisor inherits it. So the grandchildren of a dead worker are found too, and a process id that the system has
given to another program is not mistaken for one of them.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "ROWCAST_UP"
_PAUSE_SECONDS = 0.03
_LAST = "redis"
"""The program that ends last, because the others return their work to it."""


@dataclass(frozen=True)
class Mark:
    """The value of `ROWCAST_UP` in a process below a supervisor."""

    #: Random name of the supervisor's run.
    run: str
    #: Name of the program, for example `worker`.
    program: str
    #: Data folder, an absolute path.
    data: Path

    def __str__(self) -> str:
        return f"{self.run} {self.program} {self.data}"

    @classmethod
    def read(cls, text: str) -> "Mark | None":
        """Parses the value of the variable; returns None if it is not a mark."""
        words = text.split(" ", 2)
        return cls(words[0], words[1], Path(words[2])) if len(words) == 3 else None


def end_stale_processes(data: Path, run: str | None = None, grace_seconds: float = 4) -> int:
    """Ends the processes of `run` (None: of every run) on the data folder, Redis last. Returns how many there were.

    Each process gets SIGTERM, and SIGKILL when the grace period is over.
    """
    found = len(_living(data, run))
    if found:
        _end(data, run, redis=False, grace_seconds=grace_seconds)
        _end(data, run, redis=True, grace_seconds=grace_seconds)
    return found


def _end(data: Path, run: str | None, *, redis: bool, grace_seconds: float) -> None:
    def mine() -> list[int]:
        return [pid for pid, mark in _living(data, run).items() if (mark.program == _LAST) == redis]

    for pid in mine():
        if _leads_its_group(pid):  # the leader of a group ends the others in order
            _send(pid, signal.SIGTERM)
    until = time.monotonic() + grace_seconds
    while mine():
        if time.monotonic() > until:
            for pid in mine():
                _send(pid, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)


def _living(data: Path, run: str | None) -> dict[int, Mark]:
    """Returns the marked processes by id, without this one. Other users' processes cannot be read and do not count."""
    import psutil  # imported late: the waiting reaper needs less memory without it

    found = {}
    for process in psutil.process_iter():
        try:
            mark = Mark.read(process.environ().get(VARIABLE, ""))
            if mark is None or mark.data != data or run not in (None, mark.run):
                continue
            if process.pid != os.getpid() and process.status() != psutil.STATUS_ZOMBIE:
                found[process.pid] = mark
        except (psutil.Error, OSError):
            continue
    return found


def _leads_its_group(pid: int) -> bool:
    try:
        return os.getpgid(pid) == pid
    except ProcessLookupError:
        return False


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
