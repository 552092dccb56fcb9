"""What one Redis can do: processes that lease and commit chunks as workers do, but predict nothing.

`python -m bench.redis_workers [COUNT ...]` prints the processor time that Redis spent on a chunk, and how many chunks
per second that allows. This machine may have other things to do, so that fewer are committed.
Redis syncs its file before each answer, as in production, but the file is in memory.
"""

import argparse
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan
from rowcast.jobs.job import ByUrl, InputInfo, ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.leases import ChunkLease, Leases, WaitingChunk
from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.scripts.script_results import NO_LIMITS
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.local.embedded_redis import EmbeddedRedis
from rowcast.settings import Settings

COUNTS = (1, 4, 16, 64)
SECONDS = 8.0
"""How long each number of workers is measured."""

MEMORY = "/dev/shm"
CHUNKS = 200_000
ROWS, CHUNK_BYTES = 50_000, 4 * 1024 * 1024
NICENESS = 10
NODE = f"{socket.gethostname()}:{os.getpid()}"


class Measured(NamedTuple):
    """What one number of workers did."""

    #: Number of workers.
    workers: int
    #: Processor time of Redis for each chunk, in milliseconds.
    redis_ms: float
    #: Chunks that they committed per second.
    chunks_per_second: float
    #: Share of a core that Redis used.
    redis_cores: float


def job() -> NewJob:
    """Returns a job by URL with many chunks, whose files are never read."""
    columns = tuple(f"column_{number}" for number in range(20))
    known = InputInfo(
        bytes=CHUNKS * CHUNK_BYTES, sha256=None, filename=None, columns=columns, url="s3://data/*.csv", files=100
    )
    by_url = ByUrl(input_url="s3://data/*.csv", output_url="s3://out/")
    model = ModelRef(name="boosting", version="1")
    spec = Spec(kind="batch", model=model, options=Options(), input=known, header_bytes=200, by_url=by_url)
    plan = pack_plan(PlanEntry(1 + ROWS * number, ROWS, CHUNK_BYTES) for number in range(CHUNKS))
    return NewJob(new_id(), "", spec, ROWS * CHUNKS, CHUNKS, plan=plan)


def work(url: str, number: int, until: float, settings: Settings) -> int:
    """Leases and commits chunks until a time. Returns how many."""
    os.nice(NICENESS)
    part = PartEntry(b"d" * 16, ROWS, 0, CHUNK_BYTES, 0)
    summary = {"counts": {"0": ROWS // 2, "1": ROWS // 2}}
    done = 0
    with closing(connect(url, timeout_seconds=30)) as redis:
        leases = Leases(Scripts(redis, settings), f"{NODE}/{number}")
        while time.monotonic() < until:
            waiting = leases.take(("rows", "chunk"), 64)
            if not isinstance(waiting, WaitingChunk):
                continue
            lease = leases.chunk(waiting.id, waiting.chunk)
            if isinstance(lease, ChunkLease):
                leases.commit(lease, part, summary, 0.1, 0.1, output=b"s" * 32)
                done += 1
    return done


def measure(url: str, workers: int) -> Measured:
    """Measures one number of workers. Redis is empty."""
    settings, redis = Settings.read(redis_url=url), connect(url)
    registry = WorkerRegistry(redis)
    registry.heartbeat(NODE, workers)
    Scripts(redis, settings).submit(new := job(), NO_LIMITS)
    processes = get_context("fork").Pool(workers)
    try:
        before, started = _cpu_seconds(redis), time.monotonic()
        found = processes.starmap_async(work, [(url, number, started + SECONDS, settings) for number in range(workers)])
        while not found.ready():
            registry.heartbeat(NODE, workers)
            found.wait(1)
        cpu_seconds, seconds = _cpu_seconds(redis) - before, time.monotonic() - started
        done = sum(found.get())
        counted = int(redis.hget(key("job", new.id), JobField.CHUNKS_DONE) or 0)
    finally:
        processes.terminate()
        redis.close()
    if counted != done:
        raise RuntimeError(f"{done} chunks were committed, and {counted} were counted")
    return Measured(workers, cpu_seconds / done * 1000, done / seconds, cpu_seconds / seconds)


def _cpu_seconds(redis: RedisClient) -> float:
    found = redis.info("cpu")
    return float(found["used_cpu_user"]) + float(found["used_cpu_sys"])


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """Runs a server with the settings of `rowcast up`."""
    embedded = EmbeddedRedis(folder, {**os.environ})
    process = embedded.start()
    try:
        while not embedded.answers():
            time.sleep(0.05)
        yield embedded.url
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Prints a row of a table for each number of workers."""
    parser = argparse.ArgumentParser(prog="python -m bench.redis_workers", description=__doc__)
    parser.add_argument("counts", nargs="*", type=int, default=COUNTS)
    counts = parser.parse_args().counts
    print("| workers | Redis per chunk (ms) | so it allows per second | committed per second | Redis used of a core |")
    print("| --- | --- | --- | --- | --- |")
    for workers in counts:
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder, server(Path(folder)) as url:
            one = measure(url, workers)
        figures = (f"{one.redis_ms:.2f}", f"{1000 / one.redis_ms:,.0f}", f"{one.chunks_per_second:,.0f}")
        print("|", " | ".join([str(workers), *figures, f"{one.redis_cores:.0%}"]), "|", flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
