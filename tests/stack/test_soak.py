"""Long runs (`make soak`): everything is killed again and again, and no row is lost or done twice."""

import io
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import count
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import psutil
import pytest
from memory_log import MIB, MemoryLog
from programs import UPKEEP, Stack, until
from registering import register
from scored import CSV, WANTED, submit, wait
from sklearn.linear_model import LogisticRegression

from rowcast import Client
from rowcast.client.http.retries import Patience
from rowcast.jobs.records.policy import UPLOAD_SILENCE_SECONDS
from rowcast.jobs.records.redis_keys import key

SECONDS = int(os.environ.get("SOAK_SECONDS", "60"))
"""How long the chaos lasts. In a run of ten minutes or more, its users pause, and memory is looked at."""

IS_LONG = SECONDS >= 600
JOBS = 10
RETENTION_SECONDS = 60
WORKERS = ("first", "second")
LONGEST_PAUSE_SECONDS = 4.0 if IS_LONG else 0.0
MOST_BYTES_OF_A_REQUEST = 500
"""What Redis may keep of a request for a day. In an hour it was 320."""
KEPT = Path(__file__).parents[2] / "bench" / "soak.json"

pytestmark = [pytest.mark.soak, pytest.mark.timeout(SECONDS + 1200)]
PATIENT = Patience(seconds=120, first_contact_seconds=120)
CHUNKS = 100_000
ROWS, COLUMNS, BLOCK = 500_000, 20, 25_000


class Chaos:
    """Does one of its deeds after the other, with a pause that is drawn: first each once, then whichever is drawn."""

    def __init__(self, stack: Stack, draw: random.Random) -> None:
        self._stack, self._draw = stack, draw
        self._deeds: list[Callable[[], None]] = [
            self.kill_worker_process,
            self.kill_worker,
            self.ask_worker_to_stop,
            self.cut_connections,
            self.restart_redis,
            self.hold_redis,
            self.hold_worker_process,
            self.kill_gateway,
            self.kill_upkeep,
        ]
        self.done: list[str] = []

    @property
    def names(self) -> set[str]:
        """What all it can do."""
        return {deed.__name__ for deed in self._deeds}

    def reign(self, seconds: float) -> None:
        until_then = time.monotonic() + seconds
        first = self._draw.sample(self._deeds, len(self._deeds))
        while time.monotonic() < until_then:
            deed = first.pop() if first else self._draw.choice(self._deeds)
            deed()
            self.done.append(deed.__name__)
            time.sleep(self._draw.uniform(0, max(1.5, SECONDS / 90)))

    def kill_worker_process(self) -> None:
        with suppress(psutil.NoSuchProcess):  # it has just ended by itself
            if process := self._worker_process():
                process.kill()

    def hold_worker_process(self) -> None:
        """Lets one stand still for longer than a lease lasts."""
        with suppress(psutil.NoSuchProcess):
            if process := self._worker_process():
                process.suspend()
                time.sleep(5)
                process.resume()

    def hold_redis(self) -> None:
        redis = psutil.Process(self._stack.server.pid)
        redis.suspend()
        time.sleep(self._draw.uniform(0.5, 3))
        redis.resume()

    def _worker_process(self) -> psutil.Process | None:
        pid = self._stack.supervised[self._draw.choice(WORKERS)].pid
        processes = psutil.Process(pid).children() if pid else []
        return self._draw.choice(processes) if processes else None

    def kill_worker(self) -> None:
        self._stack.supervised[self._draw.choice(WORKERS)].kill()

    def ask_worker_to_stop(self) -> None:
        pid = self._stack.supervised[self._draw.choice(WORKERS)].pid
        if pid:
            os.kill(pid, signal.SIGTERM)

    def cut_connections(self) -> None:
        self._stack.redis.client_kill_filter(_type="normal")

    def restart_redis(self) -> None:
        self._draw.choice((self._stack.server.kill, self._stack.server.stop))()
        self._stack.server.start()

    def kill_gateway(self) -> None:
        self._stack.supervised["gateway"].kill()

    def kill_upkeep(self) -> None:
        self._stack.supervised["upkeep"].kill()


def score_files(url: str, is_over: threading.Event) -> int:
    """Acts as a user with a file, which is sent and fetched again and again. Returns how often."""
    with Client(url, patience=PATIENT) as client:
        for number in count(1):
            job = client.submit_csv(CSV, model="slow")
            result = io.BytesIO()
            job.wait(300).download(result)
            assert result.getvalue() == WANTED
            if is_over.wait(random.uniform(0, LONGEST_PAUSE_SECONDS)):
                return number
    raise AssertionError


def ask_for_rows(url: str, is_over: threading.Event) -> int:
    """Acts as a user with single rows, one after the other. Returns how many."""
    with Client(url, patience=PATIENT) as client:
        for number in count(1):
            assert client.predict([number % 60], model="fixed", wait=120).prediction == int(number % 60 > 30)
            if is_over.wait(random.uniform(0, LONGEST_PAUSE_SECONDS / 10)):
                return number
    raise AssertionError


def test_ten_jobs_and_rows_beside_them_outlive_chaos(own_stack: Stack) -> None:
    seed = int(os.environ.get("SOAK_SEED") or time.time())
    print(f"SOAK_SEED={seed}")
    own_stack.environment["ROWCAST_RETENTION"] = str(RETENTION_SECONDS)
    own_stack.keep_gateway()
    own_stack.keep("upkeep", UPKEEP)
    for name in WORKERS:
        own_stack.keep_worker(name)
    chaos, is_over = Chaos(own_stack, random.Random(seed)), threading.Event()
    memory = MemoryLog(own_stack, SECONDS / 240)
    with ThreadPoolExecutor(JOBS + 2) as pool:
        files = [pool.submit(score_files, own_stack.url, is_over) for _ in range(JOBS)]
        rows = [pool.submit(ask_for_rows, own_stack.url, is_over) for _ in range(2)]
        try:
            chaos.reign(SECONDS)
        finally:
            is_over.set()
            memory.stop()
        scored, predicted = (sum(user.result() for user in users) for users in (files, rows))
    assert chaos.names == set(chaos.done), "some deed was not done"
    print(f"{len(chaos.done)} deeds, {scored} files scored, {predicted} rows predicted, growth {memory.growth()}")
    until(lambda: not own_stack.redis.exists(key("leases"), key("due")), "nothing is in flight any more")
    assert not [file for file in own_stack.files() if "#" in file]
    own_stack.audit()
    if IS_LONG:
        # The upload of a gateway that was killed at the end counts as dead only after a silence.
        patience = UPLOAD_SILENCE_SECONDS + 6 * RETENTION_SECONDS
        until(lambda: not own_stack.redis.keys(key("job", "*")), "all jobs have expired", patience)
        assert not own_stack.files()
        keys = own_stack.redis.keys()
        for_a_day = [one for one in keys if one.startswith(key("idempotency", "").encode())]
        left = {"keys_left": len(keys), "keys_for_a_day": len(for_a_day)}
        memory.write(KEPT, {"seconds": SECONDS, "deeds": len(chaos.done), "files": scored, "rows": predicted, **left})
        assert all(own_stack.redis.ttl(one) > 0 for one in for_a_day)
        assert len(keys) - len(for_a_day) < 100, "Redis has no other key for each job that was"
        used = [row["redis"] for row in memory.samples if "redis" in row and row["seconds"] > 2 * RETENTION_SECONDS]
        assert (used[-1] - used[0]) * MIB < MOST_BYTES_OF_A_REQUEST * len(for_a_day)
        assert max(growth for program, growth in memory.growth().items() if program != "redis") < 0.1


def test_a_hundred_thousand_chunks_are_done_by_real_workers(own_stack: Stack, http: httpx.Client) -> None:
    own_stack.environment["ROWCAST_CHUNK_ROWS"] = "1"
    own_stack.stop("gateway")
    own_stack.start_gateway()
    own_stack.start_worker()
    cells = [b"%d" % (number % 60) for number in range(CHUNKS)]
    id = submit(http, "fixed", b"age\n" + b"\n".join(cells) + b"\n")
    while (job := wait(http, id))["finished_at"] is None:
        pass
    assert (job["status"], job["progress"]["rows_done"]) == ("succeeded", CHUNKS)
    lines = http.get(f"/jobs/{id}/result").content.splitlines()
    assert lines[1:] == [b"%s,%d" % (cell, int(cell) > 30) for cell in cells]


def blocks() -> Iterator[pd.DataFrame]:
    """Returns the rows of the large file, a block at a time; they are always the same."""
    draw = np.random.default_rng(7)
    for _ in range(ROWS // BLOCK):
        yield pd.DataFrame(draw.normal(size=(BLOCK, COLUMNS)), columns=[f"x{number}" for number in range(COLUMNS)])


def test_a_large_file_is_whole_though_its_workers_are_killed_ten_times(
    own_stack: Stack, http: httpx.Client, tmp_path: Path
) -> None:
    """Some 100 MB; all is compared as it is read, and nothing held whole."""
    sent, got = tmp_path / "in.csv", tmp_path / "out.csv"
    model = LogisticRegression().fit((first := next(blocks())).to_numpy(), (first["x0"] > first["x1"]).astype(int))
    register(own_stack.models, "numbers", model, list(first.columns))
    own_stack.environment["ROWCAST_CHUNK_ROWS"] = "10000"
    own_stack.stop("gateway")
    own_stack.start_gateway()
    for number, block in enumerate(blocks()):
        block.to_csv(sent, mode="a", header=number == 0, index=False)
    with Client(own_stack.url) as client:
        job = client.submit_csv(sent, model="numbers")
        for name in WORKERS:
            own_stack.keep_worker(name, concurrency=1)
        for number in range(10):
            before = job.refresh().progress["rows_done"]
            until(lambda done=before: job.refresh().progress["rows_done"] > done or job.has_ended, "work goes on")
            own_stack.supervised[WORKERS[number % 2]].kill()
        job.wait().download(got)
    with sent.open("rb") as rows, got.open("rb") as results:
        assert next(results) == next(rows).rstrip(b"\n") + b",prediction\n"
        for block in pd.read_csv(sent, chunksize=BLOCK):
            for label in model.predict(block.to_numpy()):
                assert next(results) == b"%s,%d\n" % (next(rows).rstrip(b"\n"), label)
        assert results.read() == rows.read() == b""
