"""What is left of accepted work when the power fails: everything, because it is on disk before an answer says so.

Redis, the store and the registry are on one file system that loses what was not synced.
"""

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import estimators
import httpx
import numpy as np
import pandas as pd
import pytest
from crashing_disk import CrashingDisk, crashing_disk, missing_tool
from parquet_files import PARQUET, parquet
from programs import SUPPORT, RedisServer, Stack, http_client
from registering import register
from resumable import append, create, offset_of
from scored import CSV, ROWS, WANTED, assert_whole, submit, wait

from rowcast.jobs.records.scripts.lua_source import LuaSource
from rowcast.settings import Settings

reason = missing_tool("mkfs.ext4", "mount", "strace")
pytestmark = pytest.mark.skipif(reason is not None and os.environ.get("CI") != "true", reason=reason or "")
FRAME = pd.DataFrame({"age": [number % 60 for number in range(ROWS)]})


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[CrashingDisk]:
    with crashing_disk(tmp_path) as disk:
        yield disk


@pytest.fixture
def stack(disk: CrashingDisk) -> Iterator[Stack]:
    """A stack whose files are on the disk. Only Redis is started."""
    folder = disk.folder
    (folder / "redis").mkdir()
    register(folder / "models", "fixed", estimators.Fixed(str(folder)).fit(np.zeros((2, 1)), [0, 1]), ["age"])
    stack = Stack(
        RedisServer(folder / "redis"),
        folder,
        folder / "models",
        {"ROWCAST_CHUNK_ROWS": "64", "PYTHONPATH": str(SUPPORT)},
    )
    yield stack
    stack.stop_all()
    stack.server.kill()


@pytest.fixture
def http(stack: Stack) -> Iterator[httpx.Client]:
    with http_client(stack.url, timeout=90) as client:
        yield client


def cut_power(stack: Stack, disk: CrashingDisk) -> None:
    """Cuts the power and switches it on again. Only Redis is started."""
    disk.cut()
    stack.stop_all()
    stack.server.kill()
    disk.unmount()
    disk.mount()
    stack.server.start()


def test_what_was_accepted_outlives_a_power_cut(stack: Stack, disk: CrashingDisk, http: httpx.Client) -> None:
    stack.start_gateway()
    stack.start_worker()
    done = submit(http, "fixed")
    assert wait(http, done)["status"] == "succeeded"
    stack.stop("worker")
    upload = create(http, model="fixed")
    assert append(http, upload, 0, CSV[:1000]).status_code == 204
    source = http.post("/predict?model=fixed", content=parquet(FRAME), headers=PARQUET).json()["id"]
    waiting = submit(http, "fixed")
    cut_power(stack, disk)
    stack.start_gateway()
    assert http.get(f"/jobs/{done}/result").content == WANTED, "without a worker, no part is made again"
    assert offset_of(http, upload) == 1000
    resumed = append(http, upload, 1000, CSV[1000:], last=True).json()["id"]
    stack.start_worker()
    for id in (waiting, source, resumed):
        assert_whole(stack, http, id)
    stack.audit()


class Trace:
    """What a program has synced, renamed and sent, in this order, with a sync or a renaming where it ended."""

    def __init__(self, file: Path) -> None:
        self._begun: dict[str, str] = {}
        self.calls = [call for line in file.read_text().splitlines() for call in self._call(line)]

    def _call(self, line: str) -> Iterator[str]:
        process, _, said = line.partition(" ")
        said = said.strip()
        if said.startswith("send"):
            yield said
        elif said.endswith("<unfinished ...>"):
            self._begun[process] = said
        else:
            yield self._begun.pop(process, "") + said

    def sent(self, text: str) -> int:
        """Returns the place of the first call that sends this text."""
        return next(place for place, call in enumerate(self.calls) if call.startswith("send") and text in call)

    def assert_synced(self, file: Path, store: Path, before: int) -> None:
        """Fails if the file is not on disk at this place of the trace, by its name, in folders that are there, too."""
        path = re.escape(str(file))
        written = self._last(rf"fdatasync\(\d+<{path}(#\d+)?>", before)
        named = self._last(rf'rename\("{path}#1", "{path}"', before)
        assert self._last(rf"fsync\(\d+<{re.escape(str(file.parent))}>", before) > max(written, named), file
        for folder in file.parents:
            self._last(rf"fsync\(\d+<{re.escape(str(folder))}>", before)
            if folder == store:
                break

    def _last(self, pattern: str, before: int) -> int:
        found = [place for place, call in enumerate(self.calls[:before]) if re.match(pattern, call)]
        assert found, f"{pattern} is not among the calls before"
        return found[-1]


def traced(file: Path) -> tuple[str, ...]:
    """Returns what stands in front of a command so that a trace of it is written."""
    calls = "trace=fsync,fdatasync,rename,sendto,sendmsg"
    return ("strace", "--follow-forks", "--decode-fds=path", "--string-limit=300", "-e", calls, "-o", str(file))


def test_files_and_folders_are_synced_before_an_answer_and_a_commit(stack: Stack, http: httpx.Client) -> None:
    traces = {name: stack.folder / f"{name}.trace" for name in ("gateway", "worker")}
    stack.wrapper = traced(traces["gateway"])
    stack.start_gateway()
    id = submit(http, "fixed", CSV[:20])
    stack.wrapper = traced(traces["worker"])
    stack.start_worker(concurrency=1)
    assert wait(http, id)["status"] == "succeeded"
    stack.stop_all()
    job = stack.store / "jobs" / id
    gateway, worker = Trace(traces["gateway"]), Trace(traces["worker"])
    for name in ("input/0000000", "header", "job.json"):
        gateway.assert_synced(job / name, stack.store, before=gateway.sent("202 ACCEPTED"))
    settings = Settings.read(redis_url=stack.redis_url, chunk_rows=64)
    commit = hashlib.sha1(LuaSource(settings).of("commit_chunk").encode()).hexdigest()
    worker.assert_synced(job / "parts" / "0000000", stack.store, before=worker.sent(commit))


def test_without_the_sync_a_power_cut_takes_what_was_accepted(
    stack: Stack, disk: CrashingDisk, http: httpx.Client
) -> None:
    stack.environment["ROWCAST_STORE_SYNC"] = "false"
    disk.sync()
    stack.start_gateway()
    id = submit(http, "fixed")
    cut_power(stack, disk)
    folder = stack.store / "jobs" / id / "input"
    assert sum(file.stat().st_size for file in folder.glob("*")) < len(CSV) - len(b"age\n")
