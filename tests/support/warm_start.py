"""Starts programs in processes that have already imported what they need.

A worker imports scikit-learn and pandas, which takes a second and more of a processor, and the tests start about a
hundred. A template process imports them once, and forks a process for each start. That process runs the program's
`__main__` as `python -m` does: with its arguments, its environment, its own session, and signals as they are by
default. A worker forks its own processes from the same imports, so the libraries are known to allow it.

Gateways have another template: gevent has to patch the standard library before their modules are imported, as
it does in the process that `python -m api` starts for the application.

The processes of one run of the tests share the templates. `python warm_start.py NAME FD FOLDER` is one; FD is the
socket on which it listens, FOLDER the folder where that lies. It ends when no process of the tests is connected.
"""

import atexit
import fcntl
import gc
import hashlib
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from select import select  # this and the next, as they are before gevent patches them
from socket import socket as unpatched_socket
from tempfile import TemporaryDirectory

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
_NO_LIBRARY_READS = ("ROWCAST_", "PYTEST_", "PYTHONPATH", "XDG_STATE_HOME", "AWS_", "AZURE_", "AZURITE_")
"""Variables that no library reads when it is loaded, by how they begin: they may differ for each program."""


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

    def __init__(self, name: str, folder: Path) -> None:
        self._lock = threading.Lock()
        self._environment = _inherited(os.environ)
        self._channel = _connect(name, folder, self._environment)
        atexit.register(self._channel.close)  # before this process waits for the template

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


def _connect(name: str, folder: Path, environment: Mapping[str, str]) -> socket.socket:
    """Returns a connection to the template of this environment, which is started if none serves in the folder."""
    digest = hashlib.sha256(json.dumps(sorted(environment.items())).encode()).hexdigest()[:16]
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with _locked(folder) as number:
        address = f"/proc/self/fd/{number}/{name}-{digest}.sock"  # a socket's name has at most 107 characters
        try:
            channel.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            Path(address).unlink(missing_ok=True)
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
                listener.bind(address)
                listener.listen()
                channel.connect(address)
                _start(name, folder, listener)
    return channel


def _start(name: str, folder: Path, listener: socket.socket) -> None:
    """Starts a template. At its end, this process waits until the other processes of the run have ended, too."""
    # One thread for each process, as `worker.__main__` sets before it imports numpy.
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    no_thread = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}  # importing pyarrow would start one
    environment = {**os.environ, **threads, **no_thread, "REMAP_SIGTERM": "SIGQUIT"}
    command = [sys.executable, __file__, name, str(listener.fileno()), str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, pass_fds=[listener.fileno()])
    atexit.register(process.wait)


@contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Locks the folder while a template is started, connected to or ended. Yields its file descriptor."""
    number = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(number, fcntl.LOCK_EX)
        yield number
    finally:
        os.close(number)


def _inherited(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(_NO_LIBRARY_READS)}


run_folder: Path | None = None
"""A folder that the processes of one run have in common, which share the templates."""


@cache
def template(name: str) -> Template:
    """Returns the template of this name. It ends with the last process that uses it."""
    return Template(name, run_folder or Path(_own_folder().name))


@cache
def _own_folder() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="rowcast-templates-")


def template_for(program: str, environment: Mapping[str, str]) -> Template | None:
    """Returns the template that can start a program in this environment, or None if none can."""
    for name, programs in PROGRAMS.items():
        if program in programs and template(name).has_environment(environment):
            return template(name)
    return None


def _serve(listener: socket.socket, folder: int) -> list[str] | None:
    """Forks a process for each request. Returns in each of them its command, and None when the tests have ended."""
    channels: set[socket.socket] = set()
    exit_codes: dict[int, tuple[int, socket.socket]] = {}
    while True:
        readable, _, _ = select([listener, *channels, *exit_codes], [], [])
        for pidfd in set(readable) & set(exit_codes):
            pid, answer = exit_codes.pop(pidfd)
            os.close(pidfd)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            with answer, suppress(BrokenPipeError):  # these tests were killed
                answer.send(str(status).encode())
        if listener in readable:
            channels.add(unpatched_socket(fileno=listener._accept()[0]))  # `accept` would make a patched one
        for channel in channels & set(readable):
            data, fds = _receive(channel)
            if not data:
                channels.remove(channel)
                channel.close()
                continue
            command, environment = json.loads(data)
            exit_code, *files = fds
            pid = os.fork()
            if not pid:
                for one in (listener, *channels, *(answer for _, answer in exit_codes.values())):
                    one.close()  # now, and not when its number is that of another file
                _become(environment, *files)
                return list(command)
            for file in files:
                os.close(file)
            exit_codes[os.pidfd_open(pid)] = pid, unpatched_socket(fileno=exit_code)
            with suppress(BrokenPipeError):
                channel.send(str(pid).encode())
        if not channels:
            fcntl.flock(folder, fcntl.LOCK_EX)  # until this process ends, so that none connects in vain
            if not select([listener], [], [], 0)[0]:
                listener.close()
                return None
            fcntl.flock(folder, fcntl.LOCK_UN)


def _receive(channel: socket.socket) -> tuple[bytes, list[int]]:
    """Returns a request and its file descriptors; nothing if the other side has ended."""
    try:
        return socket.recv_fds(channel, _REQUEST_BYTES, _MOST_FILES)[:2]
    except ConnectionResetError:
        return b"", []


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
    name, listener, folder = sys.argv[1], socket.socket(fileno=int(sys.argv[2])), os.open(sys.argv[3], os.O_RDONLY)
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
    command = _serve(listener, folder)
    if command is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
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
