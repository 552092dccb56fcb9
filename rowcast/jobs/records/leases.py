"""What a worker does to the records: takes leases, renews them, commits what it scored, gives back what it cannot.

A lease names its holder (one process) and an attempt. The attempt is a fencing token: a commit of an attempt that is no
longer the lease's changes nothing, so a chunk is counted once, whatever is delivered twice or comes back from the dead.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_part, unpack_plan
from rowcast.jobs.job import Spec
from rowcast.jobs.records.redis_client import Connection, redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts import Scripts
from rowcast.settings import Settings


@dataclass(frozen=True)
class ChunkLease:
    """The right to score one chunk, for a while."""

    id: str
    chunk: int
    attempt: int
    planned: PlanEntry
    spec: Spec
    strikes: int
    """What stands against the chunk: leases that ended with a death or an error."""

    @property
    def member(self) -> str:
        """Its name among all leases."""
        return f"{self.id}/{self.chunk}"

    @property
    def rows(self) -> str:
        """Its rows in words, for messages."""
        first = self.planned.first_row
        return f"rows {first} to {first + self.planned.rows - 1}"


@dataclass(frozen=True)
class RowLease:
    """The right to predict one single job's row, for a while."""

    id: str
    attempt: int
    values: list[Any]
    probabilities: bool
    scores: bool
    strikes: int
    """As of a chunk; a row that has any comes alone."""

    @property
    def member(self) -> str:
        """Its name among all leases."""
        return f"{self.id}/0"


@dataclass(frozen=True)
class WaitingRows:
    """Rows of one model version, leased."""

    model: str
    """`NAME@VERSION`."""
    rows: Sequence[RowLease]


@dataclass(frozen=True)
class WaitingChunk:
    """A chunk that nobody has, by its name; it is still to be leased."""

    id: str
    chunk: int


Kind = Literal["rows", "chunk"]


@dataclass(frozen=True)
class Outcome:
    """How a single job ended: its result, or a problem."""

    lease: RowLease
    status: Literal["succeeded", "failed"]
    document: Mapping[str, Any]


class Leases:
    """Leases of one holder, `NODE/PID`.

    Raises:
        Unavailable: from any call, where Redis is away or refuses work.
    """

    def __init__(self, redis: Connection, settings: Settings, holder: str) -> None:
        self._redis = redis
        self._scripts = Scripts(redis, settings)
        self._lease_ms = int(settings.lease_seconds * 1000)
        self.holder = holder

    def chunk(self, id: str, chunk: int) -> ChunkLease | Literal["busy", "idle"]:
        """Asks for one chunk.

        `busy`: somebody has it. `idle`: it needs nobody (done, of a job that has ended, or never sent).
        """
        with redis_errors():
            answer = self._scripts("lease_chunk", id, chunk, self.holder, self._lease_ms)
        outcome: Literal["leased", "busy", "idle"] = answer[0].decode()
        if outcome != "leased":
            return outcome
        attempt, planned, spec, strikes = answer[1:]
        spec = Spec.model_validate_json(spec)
        return ChunkLease(id, chunk, int(attempt), unpack_plan(planned), spec, int(strikes))

    def take(
        self, kinds: Sequence[Kind], most_rows: int, linger_seconds: float = 0
    ) -> WaitingRows | WaitingChunk | Literal["lingering"] | None:
        """Takes the work that comes next, of the first of `kinds` that there is; at most `most_rows` rows.

        `lingering`: no work waits, and for so many seconds `linger` returns the next row. None: there is no work of the
        kinds, or the process would not linger.
        """
        with redis_errors():
            answer = self._scripts("take", self.holder, most_rows, int(linger_seconds * 1000), *kinds)
        match answer:
            case [b"rows", model, *rows]:
                return WaitingRows(model.decode(), [_row_lease(*fields) for fields in rows])
            case [b"chunk", id, chunk]:
                return WaitingChunk(id.decode(), int(chunk))
            case [b"lingering"]:
                return "lingering"
        return None

    def linger(self, seconds: float) -> WaitingRows | Literal["called"] | None:
        """Waits for the next row. `called`: work has come that is to be taken. None: the time is up."""
        wake = key("wake", self.holder)
        with redis_errors():
            _, word = self._redis.blpop(wake, seconds) or (wake, None)
            if word is None:
                if self._redis.zrem(key("lingering"), self.holder):
                    return None
                word = self._redis.lpop(wake)  # it came at the last moment
        if not word:
            return "called"
        model, fields = json.loads(word)
        return WaitingRows(model, [_row_lease(*(str(field).encode() for field in fields))])

    def renew(self, members: Iterable[str]) -> set[str]:
        """Prolongs leases and answers those that are no longer ours: lost, or of a job that has ended."""
        with redis_errors():
            return {lost.decode() for lost in self._scripts("renew", self.holder, self._lease_ms, *members)}

    def commit(
        self, lease: ChunkLease, part: PartEntry, summary: Mapping[str, Any]
    ) -> Literal["counted", "ended", "stale", "rescored", "lost"]:
        """Counts a part that is in the store.

        `ended`: with it the job has ended. `stale`: nothing was counted, as the chunk is no longer ours. `rescored`: the
        part of a job that had succeeded is there again. `lost`: likewise, and it is not what it was.
        """
        figures = (part.rows, part.rows_failed, part.bytes, part.error_bytes)
        with redis_errors():
            answer: bytes = self._scripts(
                "commit_chunk",
                lease.id,
                lease.chunk,
                lease.attempt,
                pack_part(part),
                *figures,
                json.dumps(summary),
            )
        outcome: Literal["counted", "ended", "stale", "rescored", "lost"] = answer.decode()  # type: ignore[assignment]
        return outcome

    def commit_rows(self, outcomes: Sequence[Outcome]) -> int:
        """Ends single jobs and answers how many were counted."""
        arguments: list[str | int] = []
        for outcome in outcomes:
            arguments += [
                outcome.lease.id,
                outcome.lease.attempt,
                outcome.status,
                json.dumps(outcome.document),
            ]
        with redis_errors():
            return int(self._scripts("commit_rows", *arguments))

    def give_back(
        self,
        leases: Sequence[ChunkLease | RowLease],
        problem: Mapping[str, Any],
        *,
        strikes: int,
        delay_seconds: float = 0,
    ) -> None:
        """Ends leases early; the work is tried again after the delay, or, with too many strikes, its job fails."""
        arguments = [item for lease in leases for item in (lease.member, lease.attempt)]
        self._give_back(arguments, json.dumps(problem), strikes, delay_seconds)

    def give_back_of(self, is_gone: Callable[[str], bool], *, strikes: int) -> int:
        """Ends every lease whose holder is gone and answers how many there were."""
        with redis_errors():
            held = self._redis.hgetall(key("leases"))
        arguments: list[str | int] = []
        for member, lease in held.items():
            attempt, _, holder = lease.decode().partition(" ")
            if is_gone(holder):
                arguments += [member.decode(), attempt]
        if arguments:
            self._give_back(arguments, "", strikes, 0)
        return len(arguments) // 2

    def _give_back(self, arguments: Sequence[str | int], problem: str, strikes: int, delay_seconds: float) -> None:
        with redis_errors():
            self._scripts("release", strikes, int(delay_seconds * 1000), problem, *arguments)


def _row_lease(id: bytes, attempt: bytes | int, values: bytes, extras: bytes, strikes: bytes) -> RowLease:
    return RowLease(
        id.decode(), int(attempt), json.loads(values), b"probabilities" in extras, b"scores" in extras, int(strikes)
    )
