"""The request for a Parquet file and its lease, against a real server."""

from collections.abc import Callable

import pytest
from record_jobs import PROBLEM, batch, lease_of, part

from rowcast.jobs.chunk_tables import PlanEntry, RepairedChunk
from rowcast.jobs.job import ParquetFile
from rowcast.jobs.progress.job_log import read_log
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.policy import STRIKES_ALLOWED
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.states import Status

FILE = ParquetFile(name="0-ab12", length=7, sha256="0" * 64)
CHUNKS = 2


@pytest.fixture
def id(records: Records, leases: Leases) -> str:
    """A job of two chunks that has succeeded."""
    new = batch(chunks=CHUNKS)
    records.make(new)
    for chunk in range(CHUNKS):
        leases.commit(lease_of(leases, new.id, chunk), part(failed=1), {})
    return new.id


def test_a_file_is_asked_for_once_and_changes_nothing_else(records: Records, leases: Leases, id: str) -> None:
    before = records.get(id)
    assert [records.request_parquet(id), records.request_parquet(id)] == ["asked", "asked"]
    lease = lease_of(leases, id, CHUNKS)
    assert lease.is_parquet
    assert leases.commit_parquet(lease, 0, FILE)
    assert not leases.commit_parquet(lease, 0, FILE), "the lease is over"
    assert records.request_parquet(id) == "there"
    job = records.get(id)
    assert job.parquet == FILE
    assert (job.status, job.rows_done, job.summary) == (before.status, before.rows_done, before.summary)
    assert records.request_parquet(id, FILE) == "asked", "the store has lost it"


@pytest.mark.parametrize(
    "end",
    [
        lambda records, leases, id: records.delete(id),
        lambda records, leases, id: leases._scripts.expire(id),
        lambda records, leases, id: records.repair(id, [RepairedChunk(1, "", "ab12", PlanEntry(11, 10, 90))]),
    ],
    ids=["deleted", "expired", "repaired"],
)
def test_a_result_that_goes_while_its_file_is_written_gets_none(
    records: Records, leases: Leases, redis: RedisClient, id: str, end: Callable[[Records, Leases, str], None]
) -> None:
    records.request_parquet(id)
    lease = lease_of(leases, id, CHUNKS)
    end(records, leases, id)
    assert not leases.commit_parquet(lease, 0, FILE)
    assert not redis.hexists(key("leases"), lease.member)
    assert redis.zscore(key("due"), lease.member) is None
    assert leases.chunk(id, CHUNKS) == "idle"


def test_a_repaired_result_has_no_file_until_it_is_asked_for_again(records: Records, leases: Leases, id: str) -> None:
    records.request_parquet(id)
    leases.commit_parquet(lease_of(leases, id, CHUNKS), 0, FILE)
    records.repair(id, [RepairedChunk(1, "", "ab12", PlanEntry(11, 10, 90))])
    assert records.get(id).parquet is None
    assert records.request_parquet(id) == "over"
    leases.commit(lease_of(leases, id, 1), part(), {})
    assert records.get(id).status is Status.SUCCEEDED
    assert records.request_parquet(id) == "asked"
    lease = lease_of(leases, id, CHUNKS)
    assert not leases.commit_parquet(lease, 0, FILE), "that is the result of before"
    assert leases.commit_parquet(lease, 1, FILE)


def test_a_file_that_cannot_be_written_is_given_up_and_leaves_the_result(
    records: Records, leases: Leases, redis: RedisClient, id: str
) -> None:
    records.request_parquet(id)
    lease = lease_of(leases, id, CHUNKS)
    leases.release([lease], PROBLEM, strikes=1)
    lease = lease_of(leases, id, CHUNKS)
    leases.release([lease], PROBLEM, strikes=STRIKES_ALLOWED)
    job = records.get(id)
    assert (job.status, job.parquet_failed, job.lost_chunk) == (Status.SUCCEEDED, True, None)
    lines = read_log(redis, job)
    text = "\n".join(line.message for line in lines)
    assert "The Parquet file could not be written by node/1: it was lost. That is strike 1; 10 give it up." in text
    assert "The Parquet file was taken over by node/1 (attempt 2)." in text
    assert {line.chunk for line in lines} == {0, None}
    assert records.request_parquet(id) == "asked", "it may be tried again"
