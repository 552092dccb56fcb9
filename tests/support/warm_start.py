"""Starts programs in processes that have already imported what they need.

A worker imports scikit-learn and pandas, which takes a second and more of a processor, and the tests start about a
hundred. A template process imports them once, and forks a process for each start. That process runs the program's
`__main__` as `python -m` does: with its arguments, its environment, its own session, and signals as they are by
default. A worker forks its own processes from the same imports, so the libraries are known to allow it.

Gateways have another template: gevent has to patch the standard library before their modules are imported, as
it does in the process that `python -m api` starts for the application.

`python warm_start.py NAME FD` is the template; FD is its end of a socket, on which requests arrive.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import warnings
import weakref
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from select import select  # this and the next, as they are before gevent patches them
from socket import socket as unpatched_socket

ROOT = Path(__file__).parent.parent.parent
PROGRAMS = {
    "worker": {
        "worker": ("worker.app",),
        "upkeep": ("upkeep.loop", "rowcast.stop_signals"),
        "rowcast.cli": ("rowcast.cli.main",),
        "isolation_server": ("worker.isolation.isolated_process",),
    },
    "gateway": {
        "api": ("api.server", "api.app", "api.webhooks.deliveries"),
    },
}
"""The programs of each template, and what their `__main__` imports; that is not imported itself, as it is what runs."""

_REQUEST_BYTES = 256 * 1024
_MOST_FILES = 3
_NO_LIBRARY_READS = ("ROWCAST_", "PYTEST_", "PYTHONPATH", "XDG_STATE_HOME")
"""Variables that may be different for each program, by how they begin."""


class WarmProcess(subprocess.Popen[bytes]):
    """A process that the template has forked. The template is its parent, and sends its exit code."""

    def __init__(self, args: list[str], pid: int, exit_code: socket.socket) -> None:
        # Not `Popen.__init__`, which would start a process.
        self.args, self.pid, self.returncode = args, pid, None
        self.stdin = self.stdout = self.stderr = None
        self._child_created = False  # so that nothing waits for it as for a child of this process
        self._exit_code = exit_code
        weakref.finalize(self, exit_code.close)

    def poll(self) -> int | None:
        """Returns the exit code; None while the process runs."""
        if self.returncode is None and select([self._exit_code], [], [], 0)[0]:
            self._read_exit_code()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Waits for the end of the process, and returns its exit code."""
        if self.returncode is None:
            if not select([self._exit_code], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            self._read_exit_code()
        return int(self.returncode)

    def _read_exit_code(self) -> None:
        # It stays readable: two threads may wait for the end.
        self.returncode = int(self._exit_code.recv(16, socket.MSG_PEEK))


class Template:
    """The template process, from the side of the tests."""

    def __init__(self, name: str) -> None:
        self._channel, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._environment = _inherited(os.environ)
        command = [sys.executable, __file__, name, str(its_end.fileno())]
        # One thread for each process, as `worker.__main__` sets before it imports numpy.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        environment = {**os.environ, **threads, "REMAP_SIGTERM": "SIGQUIT"}
        with its_end:
            self._process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[its_end.fileno()])
        atexit.register(self._stop)

    def has_environment(self, environment: Mapping[str, str]) -> bool:
        """Returns whether a program is the same here as with `python -m`.

        Other variables may have an effect when a library is loaded.
        """
        return _inherited(environment) == self._environment

    def start(self, command: list[str], environment: Mapping[str, str], output: int, *third: int) -> WarmProcess:
        """Starts a program. Its standard output and error go to the file descriptor `output`.

        If there is another file descriptor, the program has it as 3.
        """
        exit_code, its_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request = json.dumps([command, dict(environment)]).encode()
        with self._lock, its_end:
            socket.send_fds(self._channel, [request], [its_end.fileno(), output, *third])
            pid = int(self._channel.recv(16))
        return WarmProcess(command, pid, exit_code)

    def _stop(self) -> None:
        self._channel.close()
        self._process.wait()


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_NO_LIBRARY_READS)}


@cache
def template(name: str) -> Template:
    """Returns this process's template of this name, which ends with it."""
    return Template(name)


def template_for(program: str, environment: Mapping[str, str]) -> Template | None:
    """Returns the template that can start a program in this environment, or None if none can."""
    for name, programs in PROGRAMS.items():
        if program in programs and template(name).has_environment(environment):
            return template(name)
    return None


def _serve(channel: socket.socket) -> list[str] | None:
    """Forks a process for each request. Returns in each of them its command, and None when the tests have ended."""
    exit_codes: dict[int, tuple[int, socket.socket]] = {}
    while True:
        readable, _, _ = select([channel, *exit_codes], [], [])
        for pidfd in set(readable) & set(exit_codes):
            pid, answer = exit_codes.pop(pidfd)
            os.close(pidfd)
            with answer:
                status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                answer.send(str(status).encode())
        if channel not in readable:
            continue
        data, fds, _, _ = socket.recv_fds(channel, _REQUEST_BYTES, _MOST_FILES)
        if not data:
            return None
        command, environment = json.loads(data)
        exit_code, *files = fds
        pid = os.fork()
        if not pid:
            for _, answer in exit_codes.values():
                answer.close()  # now, and not when its number is that of another file
            _become(environment, *files)
            return list(command)
        for file in files:
            os.close(file)
        exit_codes[os.pidfd_open(pid)] = pid, unpatched_socket(fileno=exit_code)
        channel.send(str(pid).encode())


def _become(environment: dict[str, str], output: int, *third: int) -> None:
    """Makes this process what `subprocess.Popen` starts."""
    os.setsid()
    os.dup2(output, 1)
    os.dup2(output, 2)
    for file in third:
        os.dup2(file, 3)
    os.closerange(3 + len(third), os.sysconf("SC_OPEN_MAX"))
    os.environ.clear()
    os.environ.update(environment)
    sys.path[1:1] = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))


def main() -> None:
    """Serves as the template, and in each process that it forks, runs a program."""
    name, channel = sys.argv[1], socket.socket(fileno=int(sys.argv[2]))
    sys.path[0] = str(ROOT)
    if name == "gateway":
        _patch()
    for modules in PROGRAMS[name].values():
        for module in modules:
            importlib.import_module(module)
    if name == "worker":
        importlib.import_module("rowcast.compiled_cache").compile_all()  # as a worker does before it forks
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "threads do not survive a fork"
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests; they close the socket
    command = _serve(channel)
    if command is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        channel.detach()
        sys.argv = command
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def _patch() -> None:
    """Lets gevent patch what modules may take from the standard library when they are imported.

    gunicorn's worker does the rest. Its parent forks, waits for children and has handlers of signals, as they are.
    """
    from gevent import monkey

    warnings.simplefilter("ignore", monkey.MonkeyPatchWarning)  # of the second time
    monkey.patch_all(os=False, subprocess=False, signal=False)


if __name__ == "__main__":
    main()
