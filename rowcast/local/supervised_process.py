"""A supervised process: a child that is started again when it dies, until it is told to stop."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

Start = Callable[[], "subprocess.Popen[bytes]"]

LONGEST_PAUSE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.1
_LIVED_WELL_SECONDS = 10.0
"""A child that has lived so long is started again at once."""


def next_pause_seconds(pause_seconds: float, lived_seconds: float) -> float:
    """How long to wait before the next start, after a pause of `pause_seconds` before the last one."""
    if lived_seconds >= _LIVED_WELL_SECONDS:
        return 0.0
    return (
        min(LONGEST_PAUSE_SECONDS, max(_FIRST_PAUSE_SECONDS, 2 * pause_seconds))
        if pause_seconds
        else _FIRST_PAUSE_SECONDS
    )


class SupervisedProcess:
    """Keeps one child. Children lead sessions of their own: the terminal's Ctrl-C reaches the supervisor alone."""

    def __init__(self, name: str, start: Start, log: Any) -> None:
        self.name = name
        self.endings: list[str] = []
        """How each that died has ended."""
        self._start, self._log = start, log
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"process-{name}", daemon=True)

    def begin(self) -> None:
        """Starts the child, and from then on its successors."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The process that runs now."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def stop(self, farewell: bytes | None = None) -> None:
        """Asks the child to end, by SIGTERM or by a word into its pipe, and starts none after it."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is None or process.poll() is not None:
            return
        if farewell is None:
            process.terminate()
        elif process.stdin:
            with suppress(BrokenPipeError, ValueError):  # ValueError: closed, for it has ended meanwhile
                process.stdin.write(farewell)
            _close_pipe(process)

    def ended(self, timeout_seconds: float) -> bool:
        """Waits until the child has ended."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_seconds))
        return not self._thread.is_alive()

    def kill(self) -> None:
        """Ends the child and all of its own at once."""
        process = self._process
        if process is not None:
            _kill_group(process.pid)

    def _keep(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            with self._lock:
                if self._stopping.is_set():
                    return
                began = monotonic()
                try:
                    self._process = self._start()
                except OSError as error:  # no memory or process to be had: as good as a child that died
                    self._process, ending = None, error.strerror or str(error)
            if self._process is not None:
                ending = how(self._process.wait())
                _close_pipe(self._process)
                if self._stopping.is_set():
                    return
                _kill_group(self._process.pid)  # what it has left would work beside its successor
            self.endings.append(ending)
            pause = next_pause_seconds(pause, monotonic() - began)
            self._log.warning("part_died", part=self.name, how=ending, again_in_seconds=pause)


def how(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def _close_pipe(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin:
        with suppress(BrokenPipeError):
            process.stdin.close()


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
        return
