"""The service on one machine: starts its programs, keeps them running, and stops them in order."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Self

from rowcast.compiled_cache import VARIABLE as CACHE_VARIABLE
from rowcast.compiled_cache import has_code
from rowcast.errors import RowcastError
from rowcast.local.data_folder import DataFolder
from rowcast.local.embedded_redis import EmbeddedRedis
from rowcast.local.gateway_socket import listen, url_of
from rowcast.local.readiness import Readiness, ReadyPoller
from rowcast.local.reaper import FAREWELL
from rowcast.local.running_services import Instance, publish_instance
from rowcast.local.stale_processes import VARIABLE, Mark, end_stale_processes
from rowcast.local.supervised_process import Start, SupervisedProcess, stop_together
from rowcast.local.worker_count import TWO, WorkerCount
from rowcast.local.worker_scaler import WorkerScaler
from rowcast.logs import logger
from rowcast.loopback import NEEDS_KEYS, is_loopback
from rowcast.settings import Settings
from rowcast.wording.quantity import counted

_POLL_SECONDS = 0.03
_REPORT_INTERVAL_SECONDS = 10.0
"""How often a slow start logs what it is waiting for."""
_DEATHS_BEFORE_READY = 5
_POOL = "pool-"

# At a stop, requests and chunks that are running have a grace to end. A program is killed only if it does not exit long
# after that: on a busy machine the exit itself takes seconds. A second Ctrl-C kills at once.
_GATEWAY_GRACE_SECONDS = 2
_GATEWAY_SECONDS = 10.0
_WORKER_GRACE_SECONDS = 4
_WORKER_SECONDS = 12.0
_REDIS_SECONDS = 10.0


class StartFailed(RowcastError):
    """A program exits again and again before the service has been ready once."""


@dataclass(frozen=True)
class Up:
    """The options of `rowcast up`."""

    #: Address to listen on.
    host: str = "127.0.0.1"
    #: Port to listen on; 0 chooses a free one.
    port: int = 5000
    #: Number of processes that predict.
    workers: WorkerCount = TWO
    #: Data folder.
    data: Path = Path(".rowcast")
    #: Number of gateway processes, which listen on the same socket.
    gateways: int = 1
    #: Number of processes that predict in each pool besides the default one.
    pools: Mapping[str, int] = field(default_factory=dict)


class Service:
    """A context in which the programs run. Only one process at a time can enter it on a data folder."""

    def __init__(
        self, up: Up, environment: dict[str, str], settings: Settings, *, beyond_loopback: bool = False
    ) -> None:
        """Takes the environment of the programs; missing settings for the data folder are added to it.

        `settings` were read from it. If they name no Redis, one is started. If they allow fast trees, the first start
        compiles them.

        Raises:
            RowcastError: the host is not loopback, and `beyond_loopback` is false.
        """
        if not is_loopback(up.host) and not beyond_loopback:
            raise RowcastError(NEEDS_KEYS.format(up.host))
        self._up, self._given, self._fast_trees = up, environment, settings.fast_trees
        self._redis_url, self._starts_redis = settings.redis_url, "redis_url" not in settings.model_fields_set
        #: Whether this start compiles the functions of the fast path, as the first one on a data folder does.
        self.compiles = False
        self._run = secrets.token_hex(8)
        self._log = logger("up")
        self._processes: dict[str, SupervisedProcess] = {}
        self._scaler = WorkerScaler(up.workers, self._start_worker, settings.chunk_timeout_seconds, self._log)
        self._chunk_seconds = settings.chunk_timeout_seconds
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = DataFolder(self._up.data)
            stack.enter_context(self._folder.locked())
            left = end_stale_processes(self._folder.path)
            if left:
                self._log.warning("stale_processes_ended", processes=left)
            self._socket = stack.enter_context(listen(self._up.host, self._up.port))
            self.url = url_of(self._socket)
            self._environment = self._folder.environment(self._given)
            self._require_receipt_key()
            has_compiled = has_code(Path(self._environment[CACHE_VARIABLE]))
            self.compiles = self._fast_trees and not has_compiled and find_spec("numba") is not None
            stack.callback(self._end)
            self._begin()
            stack.enter_context(publish_instance(self._instance()))
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    @property
    def models(self) -> str:
        """The model registry: a path or a bucket's URL."""
        return self._environment["ROWCAST_MODELS"]

    def wait_ready(self, pause: Callable[[float], bool]) -> Readiness | None:
        """Waits until the service can run jobs; a model may still be missing. Returns None if `pause` returns True.

        Args:
            pause: waits for the given seconds and returns whether to stop.

        Raises:
            StartFailed: a program exits again and again.
        """
        report_at = monotonic() + _REPORT_INTERVAL_SECONDS
        with ReadyPoller(self.url, self._up.pools) as watch:
            while not watch.serves:
                self._check_deaths()
                if monotonic() > report_at:
                    missing = "; ".join(f"{name}: {why}" for name, why in watch.latest.missing.items())
                    self._log.warning("not_ready_yet", waits_for=missing)
                    report_at += _REPORT_INTERVAL_SECONDS
                if pause(_POLL_SECONDS):
                    return None
        # Started last: it uses a core for a second, and the first caller does not need it.
        self._keep("upkeep", self._python("upkeep"))
        if not self._up.workers.is_fixed:
            self._scaler.begin(self._redis_url)
        return watch.latest

    def train_example(self) -> "subprocess.Popen[bytes]":
        """Starts training the example model, if it is missing, in a process that ends with the service."""
        return self._start_once("example", "rowcast.local.example_model")

    def hurry(self) -> None:
        """Kills the running programs, except Redis, which stops quickly and must complete its file."""
        for process in [*self._processes.values(), *self._scaler.processes]:
            if process.name not in ("redis", "reaper"):
                process.kill()

    @property
    def _gateways(self) -> list[str]:
        return ["gateway", *(f"gateway-{number}" for number in range(2, self._up.gateways + 1))]

    def _instance(self) -> Instance:
        """Returns what other commands of the same user need to know."""
        return Instance(
            url=self.url,
            data=str(self._folder.path),
            redis_url=self._redis_url,
            models=_absolute(self._environment["ROWCAST_MODELS"]),
            store=_absolute(self._environment["ROWCAST_STORE"]),
            api_keys_file=_absolute(self._environment.get("ROWCAST_API_KEYS_FILE", "")) or None,
            logs=_absolute(self._environment["ROWCAST_LOG_FOLDER"]),
            pid=os.getpid(),
        )

    def _begin(self) -> None:
        if self.compiles:
            # While the other programs start. The worker waits for it, and then needs no memory for compiling.
            self._compiling = self._start_once("compiling", "rowcast.compiled_cache", output=subprocess.DEVNULL)
        if self._starts_redis:
            self._environment["ROWCAST_REDIS_URL"] = self._redis_url = self._begin_redis()
        self._add("worker", self._worker("worker", self._up.workers.least, _WORKER_GRACE_SECONDS))
        for pool, processes in self._up.pools.items():
            self._add(_POOL + pool, self._worker(_POOL + pool, processes, _WORKER_GRACE_SECONDS))
        for name in self._gateways:
            self._keep(
                name,
                self._python("api", "--fd", str(self._socket.fileno()), "--grace", str(_GATEWAY_GRACE_SECONDS)),
                passes=self._socket,
            )
        self._keep("reaper", self._python("rowcast.local.reaper", self._run, str(self._folder.path)), pipe=True)

    def _begin_redis(self) -> str:
        """Starts Redis first, because the others need its address. It answers within some hundredths of a second."""
        embedded = EmbeddedRedis(self._folder.redis, self._environment | {VARIABLE: self._mark("redis")})
        self._add("redis", embedded.start)
        while not embedded.answers():
            self._check_deaths()
            sleep(_POLL_SECONDS / 3)
        return embedded.url

    def _start_worker(self, number: int) -> SupervisedProcess:
        """Starts a further worker, which ends its chunk when it is stopped, however long that takes."""
        name = f"worker-{number}"
        process = SupervisedProcess(name, self._worker(name, 1, self._chunk_seconds), self._log)
        process.begin()
        return process

    def _worker(self, name: str, processes: int, grace_seconds: float) -> Start:
        command = self._python("worker", "--concurrency", str(processes), "--grace", str(grace_seconds))
        return self._program(name, command)

    def _keep(
        self, name: str, command: Sequence[str], *, pipe: bool = False, passes: socket.socket | None = None
    ) -> None:
        self._add(name, self._program(name, command, pipe=pipe, passes=passes))

    def _program(
        self, name: str, command: Sequence[str], *, pipe: bool = False, passes: socket.socket | None = None
    ) -> Start:
        mark = {} if name == "reaper" else {VARIABLE: self._mark(name)}  # without a mark, it does not end itself
        environment = self._environment | mark | {"ROWCAST_POOL": name.partition(_POOL)[2]}

        def start() -> "subprocess.Popen[bytes]":
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                stdout=2,  # standard output is only for the ready line
                pass_fds=[passes.fileno()] if passes else [],
                start_new_session=True,
            )

        return start

    def _start_once(self, name: str, module: str, output: int = 2) -> "subprocess.Popen[bytes]":
        """Starts a program that ends by itself, or with the service."""
        return subprocess.Popen(
            self._python(module),
            env=self._environment | {VARIABLE: self._mark(name)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            start_new_session=True,
        )

    def _add(self, name: str, start: Start) -> None:
        self._processes[name] = SupervisedProcess(name, start, self._log)
        self._processes[name].begin()

    def _end(self) -> None:
        """Stops the gateway first, so that no work arrives, and Redis last, so that the others return their work."""
        self._socket.close()
        added = self._scaler.close()
        stop_together(self._named(*self._gateways), _GATEWAY_SECONDS)
        workers = [*added, *self._named("worker", *(_POOL + pool for pool in self._up.pools), "upkeep")]
        stop_together(workers, _WORKER_SECONDS, again_after_seconds=_WORKER_GRACE_SECONDS if added else None)
        stop_together(self._named("redis"), _REDIS_SECONDS)
        end_stale_processes(self._folder.path, self._run, grace_seconds=0)
        stop_together(self._named("reaper"), _REDIS_SECONDS, FAREWELL)

    def _named(self, *names: str) -> list[SupervisedProcess]:
        return [self._processes[name] for name in names if name in self._processes]

    def _check_deaths(self) -> None:
        for process in list(self._processes.values()):
            if len(process.endings) >= _DEATHS_BEFORE_READY:
                raise StartFailed(
                    f"{process.name} exited {counted(len(process.endings), 'time')} before it was ready "
                    f"({process.endings[-1]}). Its messages are above."
                )

    def _require_receipt_key(self) -> None:
        """Makes the key for receipts at the first start. A file that a setting names must be there.

        Raises:
            BadReceiptKey: the file cannot be used.
        """
        from rowcast.receipts.key_files import make_key, read_signing_keys

        file = Path(self._environment["ROWCAST_RECEIPT_KEY_FILE"])
        if file == self._folder.receipt_key and not file.exists():
            make_key(file)
        else:
            read_signing_keys(file)

    def _mark(self, name: str) -> str:
        return str(Mark(self._run, name, self._folder.path))

    def _python(self, module: str, *arguments: str) -> list[str]:
        # -P: a folder `api` or `worker` in the user's current folder must not be imported.
        return [sys.executable, "-P", "-m", module, *arguments]


def _absolute(location: str) -> str:
    """Returns an absolute path; a bucket's URL and the empty text stay as they are."""
    return location if "://" in location or not location else str(Path(location).expanduser().absolute())
