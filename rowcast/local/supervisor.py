"""The service: all parts of it on one machine, started together, kept, and ended in order."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from types import TracebackType
from typing import Any, Self

import rowcast
from rowcast.errors import RowcastError
from rowcast.local.data_folder import Folder
from rowcast.local.embedded_redis import Embedded
from rowcast.local.gateway_socket import listen, url_of
from rowcast.local.readiness import Readiness, ReadyPoller
from rowcast.local.reaper import FAREWELL
from rowcast.local.running_services import Instance, announced
from rowcast.local.stale_processes import VARIABLE, Mark, end_leftovers
from rowcast.local.supervised_process import SupervisedProcess
from rowcast.logs import logger
from rowcast.loopback import is_loopback

_LOOK_SECONDS = 0.03
_TELL_SECONDS = 10.0
"""How often a start that takes long says what it waits for."""
_DEATHS_BEFORE_READY = 5

# The end has 10 s in all. A running chunk has most of them; whatever is late is killed.
_GATEWAY_SECONDS = 2.5
_WORKER_GRACE_SECONDS = 4
_WORKER_SECONDS = 5.0
_REDIS_SECONDS = 1.5


class StartFailed(RowcastError):
    """A part dies again and again before the service has been ready once."""


@dataclass(frozen=True)
class Up:
    """What `rowcast up` was asked for."""

    host: str = "127.0.0.1"
    port: int = 5000
    workers: int = 2
    data: Path = Path(".rowcast")


class Service:
    """A context: inside it the parts run. Only one process can have it on a data folder."""

    def __init__(self, up: Up, environment: dict[str, str], *, beyond_loopback: bool = False) -> None:
        """`environment` is that of the parts; what names where things lie is filled in where it is missing.

        Raises:
            RowcastError: the host is not loopback, and the gateway has neither keys nor is it meant to be open to all.
        """
        if not is_loopback(up.host) and not beyond_loopback:
            raise RowcastError(
                f"A gateway without keys listens on loopback only, not on {up.host}, unless ROWCAST_OPEN=true."
            )
        self._up, self._given = up, environment
        self._run = secrets.token_hex(8)
        self._log = logger("up")
        self._processes: dict[str, SupervisedProcess] = {}
        self._resources = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._folder = Folder(self._up.data)
            stack.enter_context(self._folder.locked())
            left = end_leftovers(self._folder.path)
            if left:
                self._log.warning("leftovers_ended", processes=left)
            self._socket = stack.enter_context(listen(self._up.host, self._up.port))
            self.url = url_of(self._socket)
            self._environment = self._complete(self._given)
            stack.callback(self._end)
            self._begin()
            stack.enter_context(announced(self._instance()))
            self._resources = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._resources.close()

    @property
    def models(self) -> str:
        """Where the models lie."""
        return self._environment["ROWCAST_MODELS"]

    def wait_ready(self, pause: Callable[[float], bool]) -> Readiness | None:
        """Waits until a job would be served; a model may still be missing.

        Args:
            pause: waits for so many seconds; True when somebody wants the end. Then the answer is None.

        Raises:
            StartFailed: a part dies again and again.
        """
        tell_at = monotonic() + _TELL_SECONDS
        with ReadyPoller(self.url) as watch:
            while not watch.latest.serves:
                self._check_deaths()
                if monotonic() > tell_at:
                    self._log.warning("not_ready_yet", waits_for=watch.latest.missing)
                    tell_at += _TELL_SECONDS
                if pause(_LOOK_SECONDS):
                    return None
        # Not before: it takes a core for a second, and the first caller does not wait for it.
        self._keep("upkeep", self._python("upkeep"))
        return watch.latest

    def train_example(self) -> "subprocess.Popen[bytes]":
        """Begins to train the model that ships, where it is missing, in a process that is ended with the service."""
        return subprocess.Popen(
            self._python("rowcast.local.example_model"),
            env=self._environment | {VARIABLE: self._mark("example")},
            stdin=subprocess.DEVNULL,
            stdout=2,
            start_new_session=True,
        )

    def hurry(self) -> None:
        """Ends at once what has not ended yet. Redis alone is still asked: it is quick, and writes its file whole."""
        for name, process in list(self._processes.items()):
            if name not in ("redis", "guardian"):
                process.kill()

    def _instance(self) -> Instance:
        """What commands of the same user need to know."""
        return Instance(
            url=self.url,
            data=str(self._folder.path),
            redis_url=self._environment["ROWCAST_REDIS_URL"],
            models=_absolute(self._environment["ROWCAST_MODELS"]),
            store=_absolute(self._environment["ROWCAST_STORE"]),
            api_keys_file=_absolute(self._environment.get("ROWCAST_API_KEYS_FILE", "")) or None,
            pid=os.getpid(),
        )

    def _begin(self) -> None:
        if "ROWCAST_REDIS_URL" not in self._environment:
            self._environment["ROWCAST_REDIS_URL"] = self._begin_redis()
        self._keep(
            "worker",
            self._python("worker", "--concurrency", str(self._up.workers), "--grace", str(_WORKER_GRACE_SECONDS)),
        )
        self._keep("gateway", self._python("api", "--fd", str(self._socket.fileno())), passes=self._socket)
        self._keep("guardian", self._python("rowcast.local.reaper", self._run, str(self._folder.path)), pipe=True)

    def _begin_redis(self) -> str:
        """The others need its address, so it comes first; it answers within some hundredths of a second."""
        embedded = Embedded(self._folder.redis, self._environment | {VARIABLE: self._mark("redis")})
        self._add("redis", embedded.start)
        while not embedded.answers():
            self._check_deaths()
            sleep(_LOOK_SECONDS / 3)
        return embedded.url

    def _keep(
        self, name: str, command: Sequence[str], *, pipe: bool = False, passes: socket.socket | None = None
    ) -> None:
        # The guardian carries no mark: it is not to end itself.
        environment = (
            dict(self._environment) if name == "guardian" else self._environment | {VARIABLE: self._mark(name)}
        )

        def start() -> "subprocess.Popen[bytes]":
            return subprocess.Popen(
                command,
                env=environment,
                stdin=subprocess.PIPE if pipe else subprocess.DEVNULL,
                stdout=2,  # standard output is the ready line's alone
                pass_fds=[passes.fileno()] if passes else [],
                start_new_session=True,
            )

        self._add(name, start)

    def _add(self, name: str, start: "Callable[[], subprocess.Popen[bytes]]") -> None:
        self._processes[name] = SupervisedProcess(name, start, self._log)
        self._processes[name].begin()

    def _end(self) -> None:
        """Gateway first, so that no work comes in; Redis last, so that the others can hand theirs back."""
        self._socket.close()
        self._stop(["gateway"], _GATEWAY_SECONDS)
        self._stop(["worker", "upkeep"], _WORKER_SECONDS)
        self._stop(["redis"], _REDIS_SECONDS)
        end_leftovers(self._folder.path, self._run, grace_seconds=0)
        self._stop(["guardian"], _REDIS_SECONDS, FAREWELL)

    def _stop(self, names: Sequence[str], seconds: float, farewell: bytes | None = None) -> None:
        processes = [self._processes[name] for name in names if name in self._processes]
        for process in processes:
            process.stop(farewell)
        until = monotonic() + seconds
        for process in processes:
            if not process.ended(until - monotonic()):
                self._log.warning("part_killed", part=process.name, after_seconds=seconds)
                process.kill()
                process.ended(_REDIS_SECONDS)

    def _check_deaths(self) -> None:
        for process in self._processes.values():
            if len(process.endings) >= _DEATHS_BEFORE_READY:
                raise StartFailed(
                    f"The {process.name} died {len(process.endings)} times before it was ready "
                    f"({process.endings[-1]}); what it wrote stands above."
                )

    def _mark(self, name: str) -> str:
        return str(Mark(self._run, name, self._folder.path))

    def _python(self, module: str, *arguments: str) -> list[str]:
        # -P: a folder called `api` or `worker` where the user stands is not ours.
        return [sys.executable, "-P", "-m", module, *arguments]

    def _complete(self, given: dict[str, str]) -> dict[str, str]:
        defaults: dict[str, Any] = {
            "ROWCAST_STORE": str(self._folder.store),
            "ROWCAST_MODELS": str(self._folder.models),
            "OMP_NUM_THREADS": "1",  # there is one process a core
            "OPENBLAS_NUM_THREADS": "1",
            "MKL_NUM_THREADS": "1",
        }
        root = Path(rowcast.__file__).resolve().parents[1]
        if root.name not in ("site-packages", "dist-packages"):  # a checkout, which -P would hide
            defaults["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), given.get("PYTHONPATH")]))
            given = {name: value for name, value in given.items() if name != "PYTHONPATH"}
        return defaults | given


def _absolute(location: str) -> str:
    """A path as other processes can use it; a bucket's URL and the empty text stay as they are."""
    return location if "://" in location or not location else str(Path(location).expanduser().absolute())
