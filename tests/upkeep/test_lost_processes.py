"""Lost processes: which are taken for lost, and which are not, although they look much the same. All are real ones."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from programs import ROOT, SUPPORT, RedisServer, serving, until
from record_jobs import batch, lease_of, part, single

from rowcast.jobs.chunk_tables import CONVERSION
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.settings import Settings
from rowcast.storage import Storage
from upkeep.loop import Upkeep
from upkeep.lost_processes import LOOKS

NODE = "node:1"

MANY = 3 * LOOKS
"""More looks than a lost process has."""


class Processes:
    """Processes that hold leases, which last so long that none runs out in a test."""

    def __init__(self, server: RedisServer, folder: Path, at_end: ExitStack) -> None:
        self._folder, self._at_end = folder, at_end
        self.server, self.settings = server, self.settings_of(server.url)
        self.records = Records(Scripts(self.redis, self.settings), self.settings)

    @property
    def redis(self) -> RedisClient:
        return connect(self.server.url)

    def settings_of(self, redis_url: str) -> Settings:
        return Settings.read(redis_url=redis_url, store=str(self._folder), lease_seconds=600)

    def upkeep(self, redis_url: str = "") -> Upkeep:
        settings = self.settings_of(redis_url or self.server.url)
        return Upkeep(connect(settings.redis_url), Files(Storage(settings.store)), settings)

    def start(self, *members: str, redis_url: str = "") -> "subprocess.Popen[bytes]":
        """Starts a process that has these leases, and rows that wait."""
        variables = {
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{SUPPORT}",
            "ROWCAST_REDIS_URL": redis_url or self.server.url,
            "ROWCAST_LEASE_SECONDS": "600",
        }
        command = [sys.executable, str(SUPPORT / "lease_holder.py"), NODE, *members]
        process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE)
        self._at_end.callback(process.wait)
        self._at_end.callback(process.kill)
        assert process.stdout
        self._at_end.enter_context(process.stdout)
        assert b"held\n" in process.stdout, "it has ended"  # after its log
        return process

    def start_with_a_chunk(self, redis_url: str = "") -> "subprocess.Popen[bytes]":
        new = batch()
        self.records.make(new)
        return self.start(f"{new.id}/0", redis_url=redis_url)

    def is_disconnected(self, process: "subprocess.Popen[bytes]") -> bool:
        holder = f"{NODE}/{process.pid}"
        return holder in WorkerRegistry(self.redis).disconnected([holder])

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """Kills a process, and waits until Redis has noticed."""
        process.kill()
        until(lambda: self.is_disconnected(process), "Redis has closed its connections")

    def leases(self) -> set[str]:
        return {member.decode() for member in self.redis.hkeys(key("leases"))}

    def lost(self) -> int:
        """Returns how many leases of chunks were lost."""
        return int(self.redis.hget(key("metrics"), "leases_lost batch") or 0)


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    (tmp_path / "redis").mkdir()
    with serving(tmp_path / "redis") as server, ExitStack() as at_end:
        yield Processes(server, tmp_path / "store", at_end)


@pytest.fixture
def frozen() -> Iterator[Callable[["subprocess.Popen[bytes]"], None]]:
    """Freezes a process until the test ends: it gets no processor time at all."""
    with ExitStack() as at_end:

        def freeze(process: "subprocess.Popen[bytes]") -> None:
            process.send_signal(signal.SIGSTOP)
            at_end.callback(process.send_signal, signal.SIGCONT)

        yield freeze


def test_a_killed_process_loses_everything_that_it_had(processes: Processes) -> None:
    """It has a chunk, a file that it converts, a Parquet file that it writes, and a row."""
    chunks, converted, done, row = batch(), batch(chunks=0, is_converting=True), batch(chunks=1), single()
    for new in (chunks, converted, done, row):
        processes.records.make(new)
    other = Leases(Scripts(processes.redis, processes.settings), "node:2/1")
    other.commit(lease_of(other, done.id, 0), part(), {})
    processes.records.request_parquet(done.id)
    held = {f"{chunks.id}/0", f"{converted.id}/{CONVERSION}", f"{done.id}/1", f"{row.id}/0"}
    process, upkeep = processes.start(*sorted(held - {f"{row.id}/0"})), processes.upkeep()
    assert processes.leases() == held
    processes.kill(process)
    for _ in range(LOOKS - 1):
        upkeep.tick()
    assert processes.leases() == held
    upkeep.tick()
    assert processes.leases() == set()
    for id, chunk in ((chunks.id, 0), (converted.id, CONVERSION), (done.id, 1)):
        again = other.chunk(id, chunk)
        assert not isinstance(again, str)
        assert (again.attempt, again.strikes) == (2, 1)
    rows = other.take(["rows"], 1)
    assert rows not in (None, "lingering")


def test_a_process_without_processor_time_keeps_what_it_has(
    processes: Processes, frozen: Callable[["subprocess.Popen[bytes]"], None]
) -> None:
    process, upkeep = processes.start_with_a_chunk(), processes.upkeep()
    frozen(process)
    for _ in range(MANY):
        upkeep.tick()
    assert (len(processes.leases()), processes.lost()) == (1, 0)


def test_a_frozen_process_that_is_killed_loses_what_it_has(processes: Processes) -> None:
    process, upkeep = processes.start_with_a_chunk(), processes.upkeep()
    process.send_signal(signal.SIGSTOP)
    processes.kill(process)
    for _ in range(LOOKS):
        upkeep.tick()
    assert (len(processes.leases()), processes.lost()) == (0, 1)


def test_a_process_whose_connections_are_cut_makes_new_ones(processes: Processes) -> None:
    process, upkeep = processes.start_with_a_chunk(), processes.upkeep()
    for _ in range(3):
        process.send_signal(signal.SIGSTOP)  # so that the looks come before the new connection
        processes.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
        assert processes.is_disconnected(process)
        for _ in range(LOOKS - 1):
            upkeep.tick()
        process.send_signal(signal.SIGCONT)
        until(lambda: not processes.is_disconnected(process), "it has a new connection")
    for _ in range(MANY):
        upkeep.tick()
    assert (len(processes.leases()), processes.lost()) == (1, 0)


def test_no_process_is_lost_because_redis_was_started_again(
    processes: Processes, frozen: Callable[["subprocess.Popen[bytes]"], None]
) -> None:
    """All connections are closed at once, and this process is too slow to make another."""
    process, upkeep = processes.start_with_a_chunk(), processes.upkeep()
    frozen(process)
    upkeep.tick()
    processes.server.kill()
    processes.server.start()
    for _ in range(MANY):
        upkeep.tick()
    assert (len(processes.leases()), processes.lost()) == (1, 0)
    process.send_signal(signal.SIGCONT)
    before = processes.redis.hgetall(key("worker", NODE))
    until(lambda: processes.redis.hgetall(key("worker", NODE)) != before, "it registers with the new one")
    processes.kill(process)
    for _ in range(LOOKS):
        upkeep.tick()
    assert (len(processes.leases()), processes.lost()) == (0, 1)


def test_of_two_upkeeps_at_once_one_counts_the_loss(processes: Processes) -> None:
    process = processes.start_with_a_chunk()
    processes.kill(process)
    upkeeps = [processes.upkeep(), processes.upkeep()]
    with ThreadPoolExecutor(len(upkeeps)) as pool:
        for _ in range(MANY):
            list(pool.map(Upkeep.tick, upkeeps))
    assert (len(processes.leases()), processes.lost()) == (0, 1)


@pytest.mark.parametrize("refused", ["client|list", "client|id", "info"])
def test_where_redis_refuses_to_list_connections_leases_run_out_as_ever(processes: Processes, refused: str) -> None:
    processes.redis.execute_command("ACL", "SETUSER", "limited", "on", ">word", "~*", "&*", "+@all", f"-{refused}")
    limited = processes.server.url.replace("redis://", "redis://limited:word@")
    process, upkeep = processes.start_with_a_chunk(limited), processes.upkeep(limited)
    process.kill()
    process.wait()
    for _ in range(MANY):
        upkeep.tick()
    (member,) = processes.leases()
    processes.redis.zadd(key("due"), {member: 1})
    upkeep.tick()
    assert (len(processes.leases()), processes.lost()) == (0, 1)
