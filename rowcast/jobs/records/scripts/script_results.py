"""What the scripts in Redis return, as typed values."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

Limit = Literal["all", "owner"]
"""The limit of live jobs that is reached: that of all jobs, or that of the owner."""


class Limits(NamedTuple):
    """How many jobs may be live: neither ended nor being uploaded."""

    #: Of all owners together.
    all: int
    #: Of the owner of the new job.
    owner: int


NO_LIMITS = Limits(2**53, 2**53)
"""Limits that no number of jobs reaches: 2**53 is the largest number that Lua counts to."""


class Full(NamedTuple):
    """A job is refused, because there are as many live jobs as may be."""

    #: The limit that is reached.
    limit: Limit


class Made(NamedTuple):
    """What became of a request for a new job."""

    #: `made`. `replayed`: the same request made a job before. `reused`: an earlier job has the same result. `conflict`:
    #: another request with this Idempotency-Key made a job. `removed`: the upload was silent for too long, and its
    #: chunks are gone.
    outcome: Literal["made", "replayed", "reused", "conflict", "removed"]
    #: The job's id; for `replayed`, `reused` and `conflict` that of the earlier job.
    id: str


class LeasedRow(NamedTuple):
    """A single job's row that is leased to the process that asked."""

    #: The job's id.
    id: str
    #: Number of this lease among the row's leases, from 1.
    attempt: int
    #: The row's values as JSON, in the order of the model's features.
    values: str
    #: What `RowExtras` writes, for example `probabilities,threshold=0.3`, or empty.
    extras: str
    #: Strikes against the row.
    strikes: int
    #: The request that made the job, as `str(Origin)`.
    origin: str


class LeasedRows(NamedTuple):
    """Rows of one model version that are leased to the process that asked."""

    #: `NAME@VERSION`.
    model: str
    #: The rows, in the order in which they were submitted.
    rows: Sequence[LeasedRow]

    @staticmethod
    def row(fields: Sequence[Any]) -> LeasedRow:
        """Returns one of them, of what the script `take` says."""
        id, attempt, values, extras, strikes, origin = fields
        return LeasedRow(id.decode(), attempt, values.decode(), extras.decode(), int(strikes), origin.decode())


class WaitingChunk(NamedTuple):
    """A chunk that waits for a process, which still has to lease it."""

    #: The job's id.
    id: str
    #: Number of the chunk, from 0.
    chunk: int


class LeasedChunk(NamedTuple):
    """A chunk that is leased to the process that asked."""

    #: Number of this lease among the chunk's leases, from 1.
    attempt: int
    #: The chunk's entry of the plan (`chunk_tables.unpack_plan`).
    plan_entry: bytes
    #: The job's spec as JSON.
    spec: bytes
    #: Leases of the chunk that ended with a death or an error, weighted (`policy.py`).
    strikes: int
    #: The chunk's revision; empty if its rows are as they were sent.
    revision: str
    #: The revision before a repair whose rows have not been counted yet; None without one.
    revision_before: str | None


Repairing = Literal["repairing", "over", "changed"]
"""What became of a repair. `over`: the job's state does not allow it. `changed`: another repair was quicker."""


Committed = Literal["counted", "ended", "stale", "rescored", "lost"]
"""What the commit of a part did.

`ended`: the job has ended with it. `stale`: nothing was counted, as the lease is over. `rescored`: the part of a job
that had succeeded is there again. `lost`: as `rescored`, but the part is not the same as before.
"""


AddedChunks = Literal["added", "unknown", "differ"]
"""What became of chunks of an upload. `unknown`: Redis does not know those before them. `differ`: it knows others."""


AppendedSegment = Literal["appended", "taken", "gone"]
"""What became of a segment. `taken`: another request may append now. `gone`: the upload has ended."""


class Paused(NamedTuple):
    """What is handed to no process."""

    #: Leases of paused work: chunks and rows that a process still works on.
    running: int
    #: `all`, a kind of work (`batch`, `single`), `model NAME` or `model NAME@VERSION` → since when it is paused (ms).
    since_ms: dict[str, int]


class ClaimedDelivery(NamedTuple):
    """A delivery to a webhook that one gateway may attempt now."""

    #: The job's id.
    id: str
    #: Which end of the job is delivered: 1, or more after a retry or a repair.
    end: int
    #: Number of this attempt, from 1.
    attempt: int
    #: What `Scripts.settle_delivery` takes, to show that the claim is still valid.
    token: str


class TotalsRead(NamedTuple):
    """All counts at one moment, as flat lists of bytes."""

    #: Names and values of `rowcast:totals`.
    totals: Sequence[bytes]
    #: Owners and numbers of `rowcast:live`.
    live: Sequence[bytes]
    #: Status, jobs and rows, of all records.
    by_status: Sequence[bytes]
    #: Owner and live jobs, of all records.
    by_owner: Sequence[bytes]
    #: JOB/CHUNK that is leased or due although no live job has it in flight.
    stale_entries: Sequence[bytes]


class JobRead(NamedTuple):
    """Everything about one job at one moment."""

    #: Names and values of the record.
    record: Sequence[bytes]
    #: The packed plan.
    plan: bytes
    #: The packed table of parts.
    parts: bytes
    #: Numbers of the chunks in flight.
    in_flight: Sequence[bytes]
    #: Those of them, or `0` for a single job, that are due for upkeep.
    due: Sequence[bytes]
    #: Of a single job: 1 if its row is leased, postponed or waits, otherwise 0.
    is_waiting_or_leased: int
    #: 1 if it is set when the job expires, otherwise 0.
    expires: int
    #: 1 if there is a time of the next attempt to deliver to its webhook, otherwise 0.
    is_delivery_due: int
