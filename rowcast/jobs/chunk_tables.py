"""The two tables that a batch keeps in Redis, a fixed number of bytes a chunk: what is planned, and what came of it."""

import struct
from collections.abc import Iterable, Iterator
from typing import NamedTuple

_PLANNED = struct.Struct("<QII")
_STORED = struct.Struct("<16sIIII")
PLAN_ENTRY_BYTES = _PLANNED.size  # 16: rowcast/jobs/records/lua/lease_chunk.lua cuts by it
PART_ENTRY_BYTES = _STORED.size  # 32: rowcast/jobs/records/lua/commit_chunk.lua places by it


class PlanEntry(NamedTuple):
    """One chunk of the input. `first_row` counts the job's data rows from 1."""

    first_row: int
    rows: int
    bytes: int


class PartEntry(NamedTuple):
    """One part of the result. `digest` is the first 16 bytes of its SHA-256."""

    digest: bytes
    rows: int
    rows_failed: int
    bytes: int
    error_bytes: int

    @property
    def is_stored(self) -> bool:
        """Whether there is such a part yet. A digest of nothing but zeros is that of no part."""
        return any(self.digest)


def pack_plan(chunks: Iterable[PlanEntry]) -> bytes:
    """The plan of a whole job."""
    return b"".join(_PLANNED.pack(*chunk) for chunk in chunks)


def unpack_plan(entry: bytes) -> PlanEntry:
    """One entry of the plan."""
    return PlanEntry(*_PLANNED.unpack(entry))


def pack_part(part: PartEntry) -> bytes:
    """One entry of the table of parts."""
    return _STORED.pack(*part)


def unpack_parts(table: bytes, count: int) -> Iterator[PartEntry]:
    """The first `count` entries of a table that may be shorter: what is beyond its end is not stored yet."""
    for entry in _STORED.iter_unpack(table.ljust(count * PART_ENTRY_BYTES, b"\0")[: count * PART_ENTRY_BYTES]):
        yield PartEntry(*entry)
