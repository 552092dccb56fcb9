"""Leftovers: what a supervisor that was killed has left running, found by a mark in the environment and ended.

A mark names its run, its part and its data folder. Every process below the supervisor inherits it, so that the
grandchildren of a dead worker are found too, and no number that the system has given to another since is taken for one.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "ROWCAST_UP"
_PAUSE_SECONDS = 0.03
_LAST = "redis"
"""The part that ends last: the others hand their work back to it."""


@dataclass(frozen=True)
class Mark:
    """What a process below a supervisor carries in `ROWCAST_UP`."""

    run: str
    part: str
    data: Path

    def __str__(self) -> str:
        return f"{self.run} {self.part} {self.data}"

    @classmethod
    def read(cls, text: str) -> "Mark | None":
        """The mark in a variable's value; None where it is none."""
        words = text.split(" ", 2)
        return cls(words[0], words[1], Path(words[2])) if len(words) == 3 else None


def end_leftovers(data: Path, run: str | None = None, grace_seconds: float = 4) -> int:
    """Ends the processes of `run` (None: of every run) on the data folder, Redis last; answers how many there were.

    Each is asked first, and killed when the grace is over.
    """
    found = len(_living(data, run))
    if found:
        _end(data, run, redis=False, grace_seconds=grace_seconds)
        _end(data, run, redis=True, grace_seconds=grace_seconds)
    return found


def _end(data: Path, run: str | None, *, redis: bool, grace_seconds: float) -> None:
    def mine() -> list[int]:
        return [pid for pid, mark in _living(data, run).items() if (mark.part == _LAST) == redis]

    for pid in mine():
        if _leads_its_group(pid):  # the others are ended by their leader, which knows how
            _send(pid, signal.SIGTERM)
    until = time.monotonic() + grace_seconds
    while mine():
        if time.monotonic() > until:
            for pid in mine():
                _send(pid, signal.SIGKILL)
        time.sleep(_PAUSE_SECONDS)


def _living(data: Path, run: str | None) -> dict[int, Mark]:
    """The marked processes by their ids, without the one that asks; other users' cannot be read, and are none."""
    import psutil  # the guardian waits without it, in less memory

    found = {}
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            mark = Mark.read(process.environ().get(VARIABLE, ""))
        except (psutil.Error, OSError):
            continue
        if mark and mark.data == data and run in (None, mark.run):
            found[process.pid] = mark
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
