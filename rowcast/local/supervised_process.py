"""A supervised process: a child process that is restarted when it exits, until it is stopped."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

from rowcast.wording.exit_reason import exit_reason

Start = Callable[[], "subprocess.Popen[bytes]"]

LONGEST_PAUSE_SECONDS = 5.0
_FIRST_PAUSE_SECONDS = 0.1
_LIVED_WELL_SECONDS = 10.0
"""A child that has run at least this long is restarted at once."""
_KILLED_SECONDS = 10.0
"""Time for the exit of a child that was killed."""


def next_pause_seconds(pause_seconds: float, lived_seconds: float) -> float:
    """Returns the pause before the next start, if the pause before the last start was `pause_seconds`."""
    if lived_seconds >= _LIVED_WELL_SECONDS:
        return 0.0
    return min(LONGEST_PAUSE_SECONDS, max(_FIRST_PAUSE_SECONDS, 2 * pause_seconds))


class SupervisedProcess:
    """Keeps one child running. The child leads a new session, so the terminal's Ctrl-C reaches only the supervisor."""

    def __init__(self, name: str, start: Start, log: Any) -> None:
        self.name = name
        self.endings: list[str] = []
        """How each earlier child ended, for example `killed by SIGKILL`."""
        self._start, self.log = start, log
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"process-{name}", daemon=True)

    def begin(self) -> None:
        """Starts the child, and a new one whenever it exits."""
        self._thread.start()

    @property
    def pid(self) -> int | None:
        """The id of the running child; None if no child is running."""
        process = self._process
        return process.pid if process and process.poll() is None else None

    def stop(self, farewell: bytes | None = None) -> None:
        """Asks the child to exit, by SIGTERM or by writing `farewell` to its pipe, and does not restart it."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is None or process.poll() is not None:
            return
        if farewell is None:
            process.terminate()
        elif process.stdin:
            with suppress(BrokenPipeError, ValueError):  # ValueError: the pipe is closed, because the child has exited
                process.stdin.write(farewell)
            _close_pipe(process)

    def ended(self, timeout_seconds: float) -> bool:
        """Waits up to the timeout; returns whether the child has exited."""
        if self._thread.ident is not None:
            self._thread.join(max(0.0, timeout_seconds))
        return not self._thread.is_alive()

    def kill(self) -> None:
        """Kills the child and its process group."""
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
                except OSError as error:  # for example out of memory; treated as a child that exited
                    self._process, ending = None, error.strerror or str(error)
            if self._process is not None:
                ending = exit_reason(self._process.wait())
                _close_pipe(self._process)
                if self._stopping.is_set():
                    return
                _kill_group(self._process.pid)  # its children must not work at the same time as its successor
            self.endings.append(ending)
            pause = next_pause_seconds(pause, monotonic() - began)
            self.log.warning("process_died", process=self.name, how=ending, restart_in_seconds=pause)


def stop_together(
    processes: Sequence[SupervisedProcess],
    seconds: float,
    farewell: bytes | None = None,
    *,
    again_after_seconds: float | None = None,
) -> None:
    """Asks the children to exit, all at once, and kills those that still run when the time is over.

    Those that still run after `again_after_seconds` are asked again, which a worker understands as the end of the time
    that its chunks have to end.
    """
    for process in processes:
        process.stop(farewell)
    until = monotonic() + seconds
    if again_after_seconds is not None:
        again_at = monotonic() + again_after_seconds
        for process in [one for one in processes if not one.ended(again_at - monotonic())]:
            process.stop()
    for process in processes:
        if not process.ended(until - monotonic()):
            process.log.warning("process_killed", process=process.name, after_seconds=seconds)
            process.kill()
            process.ended(_KILLED_SECONDS)


def _close_pipe(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin:
        with suppress(BrokenPipeError):
            process.stdin.close()


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # macOS raises PermissionError for a group of zombies
        return
