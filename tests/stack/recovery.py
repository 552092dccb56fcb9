"""Measures how long it takes until work goes on after a fault, and writes it into docs/faults.md (`make recovery`).

With default settings, two workers of one process each, and chunks that take a second. From the fault, or from the
moment at which what was away is back, until every chunk that was in work is done; of a gateway, until it answers.

Arguments (`make recovery RECOVERY="URL"`) are parts of the names of faults: only these are measured, and the other
lines stay.
"""

import os
import re
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import TypeVar

import estimators
import httpx
import numpy as np
import url_stages
from buckets import Bucket, serving_s3
from programs import ROOT, SUPPORT, UPKEEP, RedisServer, Stack, http_client, until
from proxy import Proxy
from recovery_faults import (
    AWAY_SECONDS,
    WORKERS,
    ask_worker_to_stop,
    cut_connections,
    expire_credentials,
    freeze_redis,
    hang_bucket,
    kill_all_workers,
    kill_gateway,
    kill_redis,
    kill_worker,
    kill_worker_process,
    lose_bucket,
    stop_redis,
    swallow_packets,
    throttle_bucket,
)
from redis.exceptions import RedisError
from registering import register
from scored import CSV, submit

from rowcast.jobs.records.redis_keys import key

RUNS = 5
TABLE = re.compile(r"(<!-- recovery -->\n).*(<!-- /recovery -->)", re.DOTALL)
LONG = 120

Broken = TypeVar("Broken", Proxy, Bucket)
Kind = TypeVar("Kind")

Fault = Callable[[Stack, Proxy], float]
"""Does its worst, and answers when (by `monotonic`) things were as they should be again."""

BUCKET_FAULTS: Mapping[str, tuple[Callable[[Bucket], float], str]] = {
    f"a bucket refuses connections for {AWAY_SECONDS} s": (
        lose_bucket,
        "test_a_job_waits_for_a_bucket_that_is_away_and_loses_no_row",
    ),
    f"a bucket hangs for {AWAY_SECONDS} s": (
        hang_bucket,
        "test_while_a_bucket_hangs_the_gateway_serves_what_does_not_need_it",
    ),
    f"a bucket throttles every request for {AWAY_SECONDS} s": (
        throttle_bucket,
        "test_a_bucket_that_throttles_only_delays",
    ),
    f"the credentials of a bucket are refused for {AWAY_SECONDS} s": (
        expire_credentials,
        "test_credentials_that_have_expired_are_named_with_what_helps",
    ),
}
"""The same for a service whose store is a bucket."""

URL_TEST = "test_whatever_dies_at_any_stage_of_a_job_by_url_its_output_is_that_of_a_script"

URL_FAULTS = {f"`kill -9` of a worker process at the {stage} (job by URL)": stage for stage in url_stages.STAGES}
"""The stages of a job by URL whose files are in a bucket. Its chunks take no time."""

FAULTS: Mapping[str, tuple[Fault, str]] = {
    "`kill -9` of a worker process": (kill_worker_process, "test_a_killed_worker_process_costs_nothing"),
    "`kill -9` of a worker, another goes on": (
        kill_worker,
        "test_a_worker_killed_whole_loses_its_chunk_to_another_within_eight_seconds",
    ),
    "`kill -9` of all workers, which are started again": (
        kill_all_workers,
        "test_a_job_whose_workers_were_all_killed_waits_for_the_next",
    ),
    "`SIGTERM` of a worker": (
        ask_worker_to_stop,
        "test_sigterm_lets_the_running_chunk_end_and_the_rest_waits_for_the_next_worker",
    ),
    "Redis stopped and started": (stop_redis, "test_redis_dies_and_comes_back"),
    "`kill -9` of Redis, which is started again": (kill_redis, "test_redis_dies_and_comes_back"),
    f"Redis frozen for {AWAY_SECONDS} s": (freeze_redis, "test_redis_stands_still_and_the_worker_looks_unhealthy"),
    "all connections to Redis cut": (cut_connections, "test_all_connections_are_cut"),
    f"packets to Redis swallowed for {AWAY_SECONDS} s": (swallow_packets, "test_packets_to_redis_are_swallowed"),
    "`kill -9` of the gateway, which is started again": (
        kill_gateway,
        "test_a_download_goes_on_when_its_gateway_was_killed_and_is_there_again",
    ),
}
"""What is done, and the test that shows the result."""


@contextmanager
def service(folder: Path, **store: str) -> Iterator[tuple[Stack, Proxy]]:
    """All programs under supervision, with default settings but for the chunks' size."""
    (folder / "redis").mkdir(parents=True)
    server = RedisServer(folder / "redis")
    proxy = Proxy(server.port)
    environment = {
        "ROWCAST_REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0",
        "ROWCAST_CHUNK_ROWS": "64",
        "PYTHONPATH": str(SUPPORT),
        **store,
    }
    stack = Stack(server, folder, folder / "models", environment)
    register(stack.models, "slow", estimators.Slow().fit(np.zeros((2, 1)), [0, 1]), ["age"])
    register(stack.models, "fixed", estimators.Fixed().fit(np.zeros((2, 1)), [0, 1]), ["age"])
    try:
        stack.keep_gateway()
        stack.keep("upkeep", UPKEEP)
        for name in WORKERS:
            stack.keep_worker(name, concurrency=1)
        yield stack, proxy
    finally:
        stack.stop_all()
        proxy.close()
        server.stop()


def in_work(stack: Stack) -> set[bytes]:
    """The chunks that are leased, `JOB/CHUNK`."""
    return set(stack.redis.hkeys(key("leases")))


def is_done(stack: Stack, chunks: set[bytes]) -> bool:
    with suppress(RedisError):
        return not any(
            stack.redis.hexists(key("in_flight", job), chunk)
            for job, _, chunk in (member.decode().partition("/") for member in chunks)
        )
    return False


def answers(stack: Stack) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{stack.url}/health", timeout=1).status_code == 200
    return False


@contextmanager
def bucket_service(folder: Path, **more: str) -> Iterator[tuple[Stack, Bucket]]:
    """Runs the same with a bucket as the store."""
    folder.mkdir()
    with ExitStack() as opened:
        bucket = opened.enter_context(serving_s3(folder))
        places = {f"ROWCAST_{way.upper()}PUT_PREFIXES": f"{bucket.location}/{way}/" for way in ("in", "out")}
        variables = {**bucket.variables, "ROWCAST_STORE": f"{bucket.location}/store", **places}
        stack, _ = opened.enter_context(service(folder / "service", **variables, **more))
        yield stack, bucket


def measure(stack: Stack, broken: Broken, fault: Callable[[Stack, Broken], float]) -> float:
    """Seconds for one fault, while a job of ten chunks runs."""
    with http_client(stack.url, timeout=LONG) as http:
        id = submit(http, "slow", CSV)
        until(lambda: len(in_work(stack)) == len(WORKERS), "both workers have a chunk", LONG)
        chunks = in_work(stack)
        back = fault(stack, broken)
        goes_on = (lambda: answers(stack)) if fault is kill_gateway else (lambda: is_done(stack, chunks))
        until(goes_on, "work goes on", LONG)
        seconds = monotonic() - back
    with http_client(stack.url, timeout=LONG) as http:
        until(lambda: http.get(f"/jobs/{id}").json().get("status") == "succeeded", "the job ends", LONG)
    until(lambda: all(process.pid for process in stack.supervised.values()), "all programs are there again", LONG)
    return seconds


def measure_by_url(stack: Stack, bucket: Bucket, stage: str) -> float:
    """Seconds from the kill of the process that has the work of a stage until that work is done."""
    with http_client(stack.url, timeout=LONG) as http:
        fault = url_stages.hold(bucket, stage)
        id = http.post("/predict", json=url_stages.request(bucket, "fixed")).json()["id"]
        url_stages.wait_until_held(fault)
        url_stages.kill_holder(stack, id, stage)
        killed = monotonic()
        url_stages.let_go(bucket)
        until(lambda: is_done(stack, {f"{id}/{url_stages.STAGES[stage][0]}".encode()}), "work goes on", LONG)
        seconds = monotonic() - killed
        until(lambda: http.get(f"/jobs/{id}").json().get("status") == "succeeded", "the job ends", LONG)
    return seconds


def line(name: str, seconds: list[float], test: str) -> str:
    spread = f"{min(seconds):.1f} to {max(seconds):.1f}"
    text = f"| {name} | {statistics.median(seconds):.1f} | {spread} | `{test}` |"
    print(text, file=sys.stderr)
    return text


def chosen(faults: Mapping[str, Kind]) -> list[tuple[str, Kind]]:
    """Returns the faults that are to be measured."""
    words = sys.argv[1:] or [""]
    return [(name, what) for name, what in faults.items() if any(word in name for word in words)]


def main() -> None:
    file = ROOT / "docs" / "faults.md"
    kept = TABLE.search(file.read_text())
    lines = kept[0].splitlines()[3:-1] if kept else []
    measured = {text.split(" | ")[0].removeprefix("| "): text for text in lines}
    with tempfile.TemporaryDirectory() as folder:
        for name, (fault, test) in chosen(FAULTS):
            with service(Path(tempfile.mkdtemp(dir=folder), "own")) as (stack, proxy):
                seconds = [measure(stack, proxy, fault) for _ in range(RUNS)]
            measured[name] = line(name, seconds, test)
        for name, (break_bucket, test) in chosen(BUCKET_FAULTS):
            with bucket_service(Path(tempfile.mkdtemp(dir=folder), "own")) as (stack, bucket):
                seconds = [measure(stack, bucket, lambda _, it, broken=break_bucket: broken(it)) for _ in range(RUNS)]
            measured[name] = line(name, seconds, test)
        if stages := chosen(URL_FAULTS):
            small = {"ROWCAST_CHUNK_BYTES": "2048"}
            with bucket_service(Path(tempfile.mkdtemp(dir=folder), "own"), **small) as (stack, bucket):
                os.environ.update(bucket.variables)
                url_stages.lay_files(bucket, rows=500)
                for name, stage in stages:
                    measured[name] = line(name, [measure_by_url(stack, bucket, stage) for _ in range(RUNS)], URL_TEST)
    table = "\n".join(
        ["| fault | median (s) | range (s) | test |", "| --- | --- | --- | --- |", *measured.values(), ""]
    )
    file.write_text(TABLE.sub(lambda found: found[1] + table + found[2], file.read_text()))


if __name__ == "__main__":
    main()
