"""The three tables that a batch has in Redis, with some bytes for each chunk: the plan, the parts, and the history."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

_PLAN_ENTRY = struct.Struct("<QII")
_PART_ENTRY = struct.Struct("<16sIIII")
_HISTORY_ENTRY = struct.Struct("<HHI")
PLAN_ENTRY_BYTES = _PLAN_ENTRY.size
PART_ENTRY_BYTES = _PART_ENTRY.size
HISTORY_ENTRY_BYTES = _HISTORY_ENTRY.size

CONVERSION = 2**32 - 1
"""Stands for the conversion of a job's file among its chunks in flight. No chunk has this number."""

FIRST_RANGE = 2**31
"""From this number on, the ranges of a job by URL have numbers among its chunks in flight, until CONVERSION."""


class PlanEntry(NamedTuple):
    """One chunk of the input."""

    #: Number of its first row. The job's data rows count from 1.
    first_row: int
    #: Number of its rows.
    rows: int
    #: Length of the chunk in bytes.
    input_bytes: int


class PartEntry(NamedTuple):
    """One part of the result: what a chunk produced."""

    #: The first 16 bytes of the part's SHA-256.
    digest: bytes
    #: Number of its rows, the bad ones included.
    rows: int
    #: Number of its bad rows.
    rows_failed: int
    #: Length of the part in bytes.
    part_bytes: int
    #: Length in bytes of the file of its bad rows; 0 if there is no such file.
    error_bytes: int

    @property
    def is_stored(self) -> bool:
        """Whether the part is stored. The entry of a part that is not has only zeros."""
        return any(self.digest)


class HistoryEntry(NamedTuple):
    """How one chunk was scored."""

    #: Number of the attempt that was counted; 0 if the chunk is not scored.
    attempts: int
    #: Number of the worker process among those of the job, from 1; 0 if it is not known.
    holder: int
    #: Time from its lease until it was counted, in milliseconds.
    took_ms: int


class RepairedChunk(NamedTuple):
    """A chunk whose bad rows were corrected."""

    #: Number of the chunk, from 0.
    chunk: int
    #: Its revision before, on which the correction is based; empty if it had none.
    revision_before: str
    #: Its new revision.
    revision: str
    #: Its entry of the plan, with the new length.
    planned: PlanEntry


def pack_plan(chunks: Iterable[PlanEntry]) -> bytes:
    """Returns the entries of these chunks, one after the other."""
    return b"".join(_PLAN_ENTRY.pack(*chunk) for chunk in chunks)


def unpack_plan(entry: bytes) -> PlanEntry:
    """Reads one entry of the plan."""
    return PlanEntry(*_PLAN_ENTRY.unpack(entry))


def unpack_whole_plan(table: bytes) -> list[PlanEntry]:
    """Reads every entry of the plan."""
    return [PlanEntry(*entry) for entry in _PLAN_ENTRY.iter_unpack(table)]


def pack_part(part: PartEntry) -> bytes:
    """Returns one entry of the table of parts."""
    return _PART_ENTRY.pack(*part)


def unpack_parts(table: bytes, count: int) -> Iterator[PartEntry]:
    """Yields the first `count` entries. The table may be shorter: parts beyond its end are not stored yet."""
    length = count * PART_ENTRY_BYTES
    for entry in _PART_ENTRY.iter_unpack(table[:length].ljust(length, b"\0")):
        yield PartEntry(*entry)


def part_counts(table: bytes, count: int) -> tuple[Sequence[int], Sequence[int]]:
    """Returns the rows and the bad rows of the first `count` parts; both are 0 for a part that is not stored.

    It is many times faster than `unpack_parts`.
    """
    words = PART_ENTRY_BYTES // 4
    length = count * PART_ENTRY_BYTES
    numbers = struct.unpack(f"<{count * words}I", table[:length].ljust(length, b"\0"))
    return numbers[4::words], numbers[5::words]


def attempt_counts(table: bytes, count: int) -> Sequence[int]:
    """Returns the attempts of the first `count` chunks, as fast."""
    words = HISTORY_ENTRY_BYTES // 2
    length = count * HISTORY_ENTRY_BYTES
    return struct.unpack(f"<{count * words}H", table[:length].ljust(length, b"\0"))[::words]


def unpack_history(table: bytes, count: int) -> Iterator[HistoryEntry]:
    """Yields the first `count` entries. The table may be shorter: chunks beyond its end are not scored yet."""
    length = count * HISTORY_ENTRY_BYTES
    for entry in _HISTORY_ENTRY.iter_unpack(table[:length].ljust(length, b"\0")):
        yield HistoryEntry(*entry)
