"""Rowcast as `rowcast up` runs it, and a bare Celery worker on the same kind of server, each with its processes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, perf_counter, sleep
from urllib.parse import urlsplit

import psutil

from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.local.embedded_redis import EmbeddedRedis
from rowcast.local.stale_processes import VARIABLE

ROOT = Path(__file__).parents[1]
_PAUSE_SECONDS = 0.01


@dataclass(frozen=True)
class Service:
    """A running Rowcast. `ready_seconds`: from the command to the line that says that it is ready."""

    url: str
    data: Path
    ready_seconds: float

    @property
    def port(self) -> int:
        """The port of the gateway."""
        return urlsplit(self.url).port or 0

    def part(self, name: str) -> psutil.Process:
        """Returns the leading process of `gateway`, `worker`, `upkeep` or `redis`."""
        return next(
            process
            for process in psutil.process_iter()
            if _mark(process)[1:2] == [name] and _mark(process)[2:] == [str(self.data)] and _leads(process)
        )

    @property
    def redis(self) -> RedisClient:
        """A client of its server."""
        return connect(str(self.part("worker").environ()["ROWCAST_REDIS_URL"]))

    @contextmanager
    def workers_stopped(self) -> Iterator[None]:
        """Lets the worker's processes stand still, so that work waits for them."""
        processes = [self.part("worker"), *self.part("worker").children(recursive=True)]
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                process.resume()

    def peak_bytes(self, name: str) -> int:
        """Returns the largest peak memory (resident) of a part's processes so far."""
        return max(_peak(process) for process in [self.part(name), *self.part(name).children(recursive=True)])


@contextmanager
def rowcast(data: Path, workers: int = 2, **environment: str) -> Iterator[Service]:
    """Runs all programs on this machine, with the models in `data/models`."""
    command = [sys.executable, "-m", "rowcast.cli", "up", "--port", "0", "--workers", str(workers), "--data", str(data)]
    started = perf_counter()
    with (data.parent / "rowcast.log").open("ab") as log:
        up = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=log)
    try:
        assert up.stdout
        url = up.stdout.readline().decode().split()[-1]
        yield Service(url, data, perf_counter() - started)
    finally:
        up.terminate()
        up.wait()


@contextmanager
def bare_celery(folder: Path, pickled: Path) -> Iterator[None]:
    """Runs a worker of the hand-written tasks with two processes, and a server with the same settings as Rowcast's."""
    folder.mkdir(parents=True, exist_ok=True)
    server = EmbeddedRedis(folder, dict(os.environ))
    redis = server.start()
    while not server.answers():
        sleep(_PAUSE_SECONDS)
    os.environ |= {"BENCH_REDIS_URL": server.url, "BENCH_MODEL": str(pickled)}
    one_thread = {**os.environ, "OMP_NUM_THREADS": "1"}  # otherwise the processes' threads get in each other's way
    command = [sys.executable, "-m", "celery", "-A", "bench.celery_ranges", "worker", "-c", "2", "--loglevel", "error"]
    worker = subprocess.Popen(command, cwd=ROOT, env=one_thread, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        worker.terminate()
        worker.wait()
        redis.terminate()
        redis.wait()


def until(true: object, seconds: float = 60) -> None:
    """Waits until the callable answers true."""
    end = monotonic() + seconds
    while not true():  # type: ignore[operator]
        assert monotonic() < end
        sleep(_PAUSE_SECONDS)


def _mark(process: psutil.Process) -> list[str]:
    try:
        return str(process.environ().get(VARIABLE, "")).split(" ", 2)
    except psutil.Error:
        return []


def _leads(process: psutil.Process) -> bool:
    return os.getpgid(process.pid) == int(process.pid)


def _peak(process: psutil.Process) -> int:
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
