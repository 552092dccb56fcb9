"""The state machine of the records without its rules: the records, and the small model of each job."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from store_model import ROWS, Model, Work

from rowcast.jobs.audit.collect import Auditor
from rowcast.jobs.chunk_tables import PlanEntry
from rowcast.jobs.job import ModelRef
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases, RowLease
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.settings import Settings
from rowcast.storage import Storage
from upkeep.loop import Upkeep

MODEL = ModelRef(name="m", version="1")
PROBLEM = {"type": "urn:rowcast:problem:input-lost", "detail": "it was lost"}
HOLDERS = ("a/1", "a/2", "b/1")
PAUSE_SECONDS = 600
PROCESSES = 2
"""Processes of the worker that is online."""

some = st.integers(0, 1000)
holders = st.sampled_from(HOLDERS)


def planned(chunk: int) -> PlanEntry:
    return PlanEntry(1 + ROWS * chunk, ROWS, ROWS)


class RecordMachine(RuleBasedStateMachine):
    """What every rule uses. A subclass brings the fixtures."""

    redis: RedisClient
    options: Settings
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.redis.flushall()
        # During an upload, chunks are put in flight only if a worker is online.
        self.redis.zadd(key("workers"), {f"a#{PROCESSES}": 2**52})
        self.scripts = Scripts(self.redis, self.options)
        self.records = Records(self.scripts, self.options)
        self.receiving = Uploads(self.scripts, self.options)
        self.files = Files(Storage(str(self.folder)))
        for id in self.files.jobs():
            self.files.delete(id)
        self.upkeep = Upkeep(self.redis, self.files, self.options)
        self.auditor = Auditor(self.redis, self.files, self.options)
        self.workers = {name: Leases(self.scripts, name) for name in HOLDERS}
        self.jobs: dict[str, Model] = {}
        self.waiting: deque[str] = deque()
        self.chunk_leases: list[ChunkLease] = []
        self.row_leases: list[RowLease] = []
        self.keyed: dict[str, tuple[str, str]] = {}
        self.seen: dict[str, tuple[str, int]] = {}
        self.failed: dict[
            tuple[str, int], int
        ] = {}  # bad rows of a chunk: each process that scores it finds the same ones
        self.numbers: dict[str, int] = {}
        """Batches, counted from 0, which decides their owner and priority."""
        self.paused: set[str] = set()
        self.has_lost_rows = False
        """Whether rows that wait may be in no line, until upkeep has looked at all of them."""

    def job(self, number: int, *, known: bool = False) -> str:
        """Returns any job, a live one more often than not. With `known`, its upload is complete."""
        jobs = {id: model for id, model in self.jobs.items() if model.is_known or not known}
        live = [id for id, model in jobs.items() if model.is_live]
        among = live if live and number % 4 else list(jobs)
        return among[number // 4 % len(among)]

    def has_known(self) -> bool:
        return any(model.is_known for model in self.jobs.values())

    def uploads(self) -> list[str]:
        return [id for id, model in self.jobs.items() if not model.is_known]

    def has_room(self) -> bool:
        """Whether there are few live jobs: rules meet the same job more often if there are few."""
        return sum(model.is_live for model in self.jobs.values()) < 3

    def is_paused(self, id: str) -> bool:
        """Whether a job's work is handed to no process."""
        return not self.paused.isdisjoint({"all", "single" if self.jobs[id].is_single else "batch", "model m"})

    def every_lease(self) -> list[ChunkLease | RowLease]:
        return [*self.chunk_leases, *self.row_leases]

    def flying(self) -> Iterator[tuple[str, int, Work]]:
        for id, model in self.jobs.items():
            yield from ((id, chunk, work) for chunk, work in list(model.open.items()))

    def flying_chunks(self) -> Iterator[tuple[str, int, Work]]:
        return (entry for entry in self.flying() if not self.jobs[entry[0]].is_single)

    def end(self, id: str, status: str) -> None:
        self.jobs[id].end(status)
        if id in self.waiting:
            self.waiting.remove(id)
