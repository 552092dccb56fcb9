"""A small model of a job, with which the test of the state machine compares the records."""

from dataclasses import dataclass, field

from rowcast.jobs.records.policy import STRIKES_ALLOWED
from rowcast.jobs.states import TRANSITIONS, Status

ROWS = 3
"""Rows of each chunk."""

WINDOW = 4
"""Chunks of a job that may be in flight with at most two processes online."""


@dataclass
class Held:
    """A lease as the model has it."""

    holder: str
    attempt: int
    run_out: bool = False


@dataclass
class Work:
    """A chunk, or a single row, that is not done."""

    attempts: int = 0
    strikes: int = 0
    held: Held | None = None
    postponed: bool = False


@dataclass
class Model:
    """A job as it should be. `open` has the work that is not done; for a single job, only the entry 0."""

    chunks: int
    is_single: bool
    max_errors: int | None
    open: dict[int, Work] = field(default_factory=dict)
    next: int = 0
    status: str = "queued"
    done: set[int] = field(default_factory=set)
    failed: int = 0
    chunks_at_end: dict[int, int] = field(default_factory=dict)
    """Chunks in flight at the end, and how often each had been leased."""
    arrived: int | None = None
    """How many chunks of an upload are known; None once the job is made."""
    verdict: str | None = None
    """How the job ends when its upload is complete."""

    @property
    def is_live(self) -> bool:
        return self.status in ("queued", "running")

    @property
    def is_known(self) -> bool:
        """Whether calls show the job."""
        return self.arrived is None

    @property
    def rows_done(self) -> int:
        return len(self.done) * (1 if self.is_single else ROWS)

    @property
    def ending(self) -> str:
        """How it ends when all its chunks are done: it fails if every row is bad."""
        return "failed" if self.failed == self.chunks * ROWS else "succeeded"

    def top_up(self) -> None:
        there = self.chunks if self.arrived is None else self.arrived
        while not self.verdict and len(self.open) < WINDOW and self.next < there:
            self.open[self.next] = Work()
            self.next += 1

    def end(self, status: str) -> None:
        if self.open:
            self.chunks_at_end = {chunk: work.attempts for chunk, work in self.open.items()}
            self.open.clear()
        if self.arrived is None:
            self.status = status
        else:
            self.verdict = status

    def arrive(self, chunks: int) -> None:
        """Adds chunks of an upload."""
        self.arrived = (self.arrived or 0) + chunks
        self.top_up()

    def is_all_there(self) -> None:
        """Makes the job of a complete upload."""
        self.arrived, verdict, self.verdict = None, self.verdict, None
        if verdict:
            self.end(verdict)
        elif len(self.done) == self.chunks:
            self.end(self.ending)
        else:
            self.top_up()

    def retry(self) -> None:
        self.status = "queued"
        self.open = {chunk: Work(attempts) for chunk, attempts in self.chunks_at_end.items()}
        self.chunks_at_end = {}
        self.top_up()

    def strike(self, chunk: int, strikes: int) -> bool:
        """Adds strikes. Returns whether that ended the job."""
        self.open[chunk].strikes += strikes
        if strikes and self.open[chunk].strikes >= STRIKES_ALLOWED:
            self.end("failed")
            return True
        return False


def can_follow(before: Status, after: Status) -> bool:
    """Returns whether `after` follows by one transition or more: a step of the machine may make two."""
    if after in TRANSITIONS[before]:
        return True
    return any(can_follow(then, after) for then in TRANSITIONS[before] if then is not Status.QUEUED)
