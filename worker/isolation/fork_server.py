"""The fork server: forks isolated processes, each in milliseconds, as it has imported what they need.

A worker's main process forks it when everything is imported and nothing is open. So it has one thread, no connection
and no model, its memory is shared with the worker's other processes, and a model's code is only in the fork that opens
it. It ends with the last process that can send it requests.

A request is one byte and three file descriptors: two pipes for the fork, and a socket on which the fork server sends
the fork's exit code. A byte on that socket makes it kill the fork.
"""

import gc
import os
import select
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

Target = Callable[[int, int], int]
"""What a fork runs: with the pipes of its requests and answers, and it returns its exit code."""

NAME = "fork server"
"""Name of the process, for example in `ps -o comm`."""

_REQUEST = _KILL = b"."
_CODE_BYTES = 16


class ForkServer:
    """The fork server, from the side of the processes that use it: the one that starts it, and those it then forks."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    @classmethod
    @contextmanager
    def started(cls, target: Target) -> "Iterator[ForkServer]":
        """Forks it from this process, which must have one thread and nothing open. It is ended with the block."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            ours.close()
            _run_and_exit(lambda: serve(theirs, target))
        theirs.close()
        try:
            yield cls(ours)
        finally:
            ours.close()
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    @property
    def lives(self) -> bool:
        """Whether it can still fork."""
        return not _readable(self._channel, 0)  # it sends nothing there, so only the end can be read

    def fork(self, requests: int, answers: int) -> "Fork":
        """Returns a new process, which has these two pipes and nothing else open.

        Raises:
            BrokenPipeError: the fork server has ended.
        """
        control, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._channel, [_REQUEST], [requests, answers, theirs.fileno()])
            except OSError:
                control.close()
                raise
        return Fork(control)


class Fork:
    """A process that the fork server has forked."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._exit_code: int | None = None

    def wait(self, seconds: float | None) -> int | None:
        """Waits for its end and returns its exit code, as `subprocess.Popen` has it; None if the time is up."""
        if self._exit_code is None and _readable(self._control, seconds):
            code = b""  # if the fork server was killed
            with suppress(ConnectionResetError):
                code = self._control.recv(_CODE_BYTES)
            self._exit_code = int(code or -signal.SIGKILL)
        return self._exit_code

    def kill(self) -> None:
        """Kills the process if it runs, and waits for its end."""
        with suppress(BrokenPipeError):
            self._control.send(_KILL)
        self.wait(None)

    def close(self) -> None:
        """Closes the connection to the fork server. The process itself is not affected."""
        self._control.close()


def _readable(channel: socket.socket, seconds: float | None) -> bool:
    return bool(select.select([channel], [], [], seconds)[0])


def serve(channel: socket.socket, target: Target) -> int:
    """Serves as the fork server until the other end of `channel` is closed."""
    with suppress(OSError):  # not on macOS
        Path("/proc/self/comm").write_text(NAME)
    gc.freeze()  # its memory stays shared with the worker's other processes, as no collection writes to it
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the worker handles Ctrl-C and then closes the channel
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a running chunk may need it while the worker stops
    ended, woken = socket.socketpair()
    woken.setblocking(False)
    signal.set_wakeup_fd(woken.fileno())
    signal.signal(signal.SIGCHLD, lambda *_: None)
    forks: dict[int, socket.socket] = {}
    while True:
        controls = {control: pid for pid, control in forks.items() if control.fileno() >= 0}
        ready, _, _ = select.select([channel, ended, *controls], [], [])
        for control in controls.keys() & set(ready):
            if control.recv(1):
                os.kill(controls[control], signal.SIGKILL)  # it is not reaped yet, so the id is its own
            else:
                control.close()  # no process waits for its end any more
        if ended in ready:
            ended.recv(4096)
            _reap(forks)
        if channel in ready:
            _, pipes, _, _ = socket.recv_fds(channel, 1, 3)
            if not pipes:
                return 0
            _fork(pipes, forks, target)


def _fork(pipes: list[int], forks: dict[int, socket.socket], target: Target) -> None:
    """Forks a process for one request."""
    requests, answers, control = pipes
    pid = os.fork()
    if not pid:
        _close_all_but(requests, answers)
        _run_and_exit(lambda: target(requests, answers))
    os.close(requests)
    os.close(answers)
    forks[pid] = socket.socket(fileno=control)


def _reap(forks: dict[int, socket.socket]) -> None:
    """Sends the exit code of each process that has ended."""
    for pid in list(forks):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with forks.pop(pid) as control, suppress(OSError):
                control.send(str(os.waitstatus_to_exitcode(status)).encode())


def _close_all_but(*kept: int) -> None:
    """Makes this process one that has only these files open, and signals as they are by default."""
    signal.set_wakeup_fd(-1)
    for name in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(name, signal.SIG_DFL)
    start = 3
    for descriptor in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(start, descriptor)
        start = descriptor + 1


def _run_and_exit(run: Callable[[], int]) -> NoReturn:
    code = 1
    try:
        code = run()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)  # nothing is left to clean up, and what the forked process would clean up is not its own
