"""Jobs for the tests of the records: new ones, and leases of their chunks and rows."""

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.leases import ChunkLease, Leases, RowLease, WaitingRows

MODEL = ModelRef(name="titanic", version="1")
PROBLEM = {"type": "urn:rowcast:problem:input-lost", "detail": "it was lost"}


def batch(chunks: int = 7, rows: int = 10, pool: str = "", **more: object) -> NewJob:
    columns = InputInfo(bytes=100 * chunks, sha256="ab", filename="in.csv", columns=("age", "pclass"))
    spec = Spec(kind="batch", model=MODEL, options=Options(), input=columns, header_bytes=7, pool=pool)
    plan = pack_plan(PlanEntry(1 + rows * number, rows, 100) for number in range(chunks))
    return NewJob(new_id(), "", spec, rows * chunks, chunks, plan=plan, **more)  # type: ignore[arg-type]


def single(pool: str = "", **more: object) -> NewJob:
    spec = Spec(kind="single", model=MODEL, options=Options(probabilities=True), pool=pool)
    return NewJob(new_id(), "", spec, 1, 1, values=[25, 3], **more)  # type: ignore[arg-type]


def part(rows: int = 10, failed: int = 0) -> PartEntry:
    return PartEntry(b"d" * 16, rows, failed, 50, 5 * failed)


def lease_of(leases: Leases, id: str, chunk: int) -> ChunkLease:
    lease = leases.chunk(id, chunk)
    assert isinstance(lease, ChunkLease)
    return lease


def rows_of(leases: Leases, most: int = 10) -> list[RowLease]:
    """Leases the rows that wait."""
    found = leases.take(["rows"], most)
    return list(found.rows) if isinstance(found, WaitingRows) else []
