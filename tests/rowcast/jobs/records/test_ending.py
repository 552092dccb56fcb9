"""The end of a batch with only bad rows: it fails and names the most frequent fault, which its record keeps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from rowcast.errors import NotRetryable
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.audit.collect import Auditor
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, Job, ModelRef, Spec
from rowcast.jobs.job_files import Files
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.states import Status
from rowcast.settings import Settings
from rowcast.storage import Storage

MODEL = ModelRef(name="titanic", version="1")
ROWS = 10
TRAILING = "has one field more than the header: a trailing delimiter?"

Commit = Callable[..., str]


def new_job(chunks: int, **more: Any) -> NewJob:
    columns = InputInfo(bytes=100 * chunks, sha256="ab", filename=None, columns=("age",))
    spec = Spec(kind="batch", model=MODEL, options=Options(), input=columns, header_bytes=7)
    return NewJob(new_id(), "", spec, ROWS * chunks, chunks, plan=pack_plan(planned(chunks)), **more)


def planned(chunks: int) -> list[PlanEntry]:
    return [PlanEntry(1 + ROWS * number, ROWS, 100) for number in range(chunks)]


def bad(message: str, rows: int = ROWS, example: str = "") -> Mapping[str, Any]:
    return {"bad": {"message": message, "rows": rows, "example": example}}


@pytest.fixture
def commit(redis: RedisClient, settings: Settings) -> Commit:
    """Scores one chunk of a job, with `failed` bad rows. Returns what the commit did."""
    leases = Leases(Scripts(redis, settings), "node/1")

    def commit(id: str, chunk: int, failed: int, summary: Mapping[str, Any]) -> str:
        lease = leases.chunk(id, chunk)
        assert isinstance(lease, ChunkLease)
        return leases.commit(lease, PartEntry(b"d" * 16, ROWS, failed, 50, 5 * failed), summary)

    return commit


def detail_of(job: Job) -> str:
    assert job.status is Status.FAILED
    assert job.error is not None
    assert job.error["type"] == "urn:rowcast:problem:every-row-bad"
    return job.error["detail"]


def test_a_job_whose_rows_are_all_bad_fails_and_says_why(records: Records, commit: Commit) -> None:
    new = new_job(2)
    records.make(new)
    assert commit(new.id, 0, ROWS, bad(TRAILING)) == "counted"
    assert commit(new.id, 1, ROWS, bad(TRAILING)) == "ended"
    assert detail_of(records.get(new.id)) == f"None of the 20 rows can be predicted: every row {TRAILING}"


def test_the_most_frequent_fault_is_named_with_an_example(records: Records, commit: Commit) -> None:
    new = new_job(3)
    records.make(new)
    commit(new.id, 0, ROWS, bad("has 3 fields, the header has 2", 6))
    commit(new.id, 1, ROWS, bad("has a bad cell in column 'age': not a number", 9, "12,5"))
    commit(new.id, 2, ROWS, bad("has a bad cell in column 'age': not a number", 8, "7,5"))
    assert detail_of(records.get(new.id)) == (
        "None of the 30 rows can be predicted: mostly (17) a row has a bad cell in column 'age': not a number "
        "(one is '12,5')."
    )


@pytest.mark.parametrize("good_chunk", [0, 1])
def test_one_good_row_is_enough_to_succeed(
    records: Records, commit: Commit, redis: RedisClient, good_chunk: int
) -> None:
    new = new_job(2)
    records.make(new)
    for chunk in range(2):
        commit(new.id, chunk, *((ROWS - 1, {"classes": {"0": 1}}) if chunk == good_chunk else (ROWS, bad(TRAILING))))
    assert records.get(new.id).status is Status.SUCCEEDED
    assert not redis.hexists(key("job", new.id), JobField.REASONS)


def test_the_limit_of_bad_rows_is_checked_before_the_end(records: Records, commit: Commit) -> None:
    new = new_job(1, max_errors=5)
    records.make(new)
    commit(new.id, 0, ROWS, bad(TRAILING))
    error = records.get(new.id).error
    assert error is not None
    assert error["type"] == "urn:rowcast:problem:too-many-bad-rows"


def test_rows_that_were_scored_during_the_upload_count(
    records: Records, uploads: Uploads, commit: Commit, redis: RedisClient
) -> None:
    redis.zadd(key("workers"), {"a#2": 2**52})
    new = new_job(2)
    uploads.announce(new.id)
    assert uploads.add_chunks(new.id, 0, planned(2), new)
    for chunk in range(2):
        assert commit(new.id, chunk, ROWS, bad(TRAILING)) == "counted"
    records.make(new)
    assert TRAILING in detail_of(records.get(new.id))


def test_a_record_keeps_only_some_of_many_different_faults(
    records: Records, commit: Commit, redis: RedisClient
) -> None:
    new = new_job(40)
    records.make(new)
    for chunk in range(40):
        commit(new.id, chunk, ROWS, bad(f"cannot be predicted: number {chunk} of many"))
    assert redis.hstrlen(key("job", new.id), JobField.REASONS) < 2_000
    assert "None of the 400 rows can be predicted: mostly (10) a row" in detail_of(records.get(new.id))


def test_a_retry_is_refused_and_the_audit_finds_nothing(
    records: Records, commit: Commit, redis: RedisClient, settings: Settings, tmp_path: Path
) -> None:
    new = new_job(1)
    records.make(new)
    commit(new.id, 0, ROWS, bad(TRAILING))
    with pytest.raises(NotRetryable, match="its rows are all bad") as caught:
        records.retry(new.id)
    assert caught.value.problem == records.get(new.id).error
    auditor = Auditor(redis, Files(Storage(str(tmp_path / "store"))), settings)
    books = auditor.job_state(new.id)
    assert books is not None
    assert [*auditor.totals().findings(), *books.findings()] == []
    assert auditor.totals().total("failed") == (1, ROWS)
