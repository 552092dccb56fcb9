"""The log of a job, written by the scripts that change it."""

import re
from pathlib import Path

import pytest
from record_jobs import PROBLEM, batch, lease_of, part, rows_of, single

import rowcast.jobs.records.scripts
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.progress.job_log import EVENTS, read_log
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases, RowOutcome
from rowcast.jobs.records.policy import LOG_KEPT, STRIKES_OF_ERROR
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.states import Status


@pytest.fixture
def job(records: Records) -> NewJob:
    """A batch of three chunks."""
    new = batch(chunks=3)
    records.make(new)
    return new


def events(redis: RedisClient, records: Records, id: str) -> list[str]:
    return [line.event for line in read_log(redis, records.get(id))]


def messages(redis: RedisClient, records: Records, id: str) -> str:
    return "\n".join(line.message for line in read_log(redis, records.get(id)))


def test_a_job_that_goes_well_has_three_lines(
    redis: RedisClient, records: Records, leases: Leases, job: NewJob
) -> None:
    for chunk in range(3):
        leases.commit(lease_of(leases, job.id, chunk), part(), {})
    lines = read_log(redis, records.get(job.id))
    assert [line.message for line in lines] == [
        "The job was made: 30 rows in 3 chunks.",
        "Scoring began with chunk 0 by node/1.",
        "The job succeeded.",
    ]
    assert (lines[1].chunk, lines[1].worker) == (0, "node/1")


def test_a_lost_worker_and_the_one_that_takes_over_are_named(
    redis: RedisClient, records: Records, leases: Leases, other: Leases, job: NewJob
) -> None:
    lease_of(leases, job.id, 1)
    leases.release_of_holders(lambda holder: holder == "node/1", strikes=1)
    lease_of(other, job.id, 1)
    text = messages(redis, records, job.id)
    assert "Chunk 1 was lost: its worker process node/1 died" in text
    assert "strike 1; 10 fail the job" in text
    assert "Chunk 1 was taken over by node/2 (attempt 2)." in text


def test_a_lease_that_ran_out_names_the_silent_worker(
    redis: RedisClient, records: Records, leases: Leases, other: Leases, job: NewJob
) -> None:
    lease = lease_of(leases, job.id, 0)
    redis.zadd(key("due"), {lease.member: 1})
    other._scripts.resend(10)
    lease_of(other, job.id, 0)
    assert "Chunk 0 was lost: its worker process node/1 died" in messages(redis, records, job.id)
    assert "taken over by node/2" in messages(redis, records, job.id)


def test_errors_fail_the_job_and_a_retry_goes_on(
    redis: RedisClient, records: Records, leases: Leases, job: NewJob
) -> None:
    for _ in range(3):
        leases.release([lease_of(leases, job.id, 2)], PROBLEM, strikes=STRIKES_OF_ERROR)
    records.retry(job.id)
    records.cancel(job.id)
    found = events(redis, records, job.id)
    assert found[2:] == ["error", "tried_again", "error", "tried_again", "error", "failed", "retried", "cancelled"]
    assert "Chunk 2 could not be scored by node/1: it was lost" in messages(redis, records, job.id)
    assert "The job failed: it was lost" in messages(redis, records, job.id)
    assert "The job was retried: 3 chunks to score." in messages(redis, records, job.id)


def test_an_outage_is_one_line(redis: RedisClient, records: Records, leases: Leases, job: NewJob) -> None:
    for _ in range(5):
        leases.release([lease_of(leases, job.id, chunk) for chunk in range(3)], PROBLEM, strikes=0, delay_seconds=1)
    assert events(redis, records, job.id) == ["created", "started", "postponed"]


def test_the_log_is_bounded_and_goes_with_the_job(
    redis: RedisClient, records: Records, leases: Leases, job: NewJob
) -> None:
    for _ in range(LOG_KEPT + 10):
        leases.release([lease_of(leases, job.id, 0)], PROBLEM, strikes=0)
    assert redis.llen(key("log", job.id)) == LOG_KEPT
    assert len(read_log(redis, records.get(job.id))) == LOG_KEPT + 1  # the record says when the job was made
    records.delete(job.id)
    assert list(redis.scan_iter(f"*{job.id}*")) == [key("job", job.id).encode()]


def test_the_log_outlives_the_files_as_the_record_does(
    redis: RedisClient, records: Records, leases: Leases, job: NewJob
) -> None:
    records.cancel(job.id)
    leases._scripts.expire(job.id)
    assert events(redis, records, job.id) == ["created", "cancelled"]
    assert redis.pttl(key("log", job.id)) > 0  # type: ignore[attr-defined]


def test_a_single_row_costs_no_entries(redis: RedisClient, records: Records, leases: Leases) -> None:
    new = single()
    records.make(new)
    (row,) = rows_of(leases)
    leases.commit_rows([RowOutcome(row, "succeeded", {"prediction": 0})])
    assert redis.llen(key("log", new.id)) == 0
    assert records.get(new.id).status is Status.SUCCEEDED
    assert events(redis, records, new.id) == ["created", "started", "succeeded"]


def test_a_single_row_that_kills_its_worker_says_so(redis: RedisClient, records: Records, leases: Leases) -> None:
    new = single()
    records.make(new)
    rows_of(leases)
    leases.release_of_holders(lambda _: True, strikes=1)
    assert "The row was lost: its worker process node/1 died" in messages(redis, records, new.id)


def test_every_event_of_the_scripts_has_words() -> None:
    scripts = Path(rowcast.jobs.records.scripts.__file__).parent / "lua"
    noted = {
        name for file in scripts.rglob("*.lua") for name in re.findall(r"note(?:_once)?\(id, '(\w+)'", file.read_text())
    }
    noted |= {"worker_lost", "error"}  # one or the other
    noted |= {status for status in Status if status.is_terminal and not status.is_internal and status != "expired"}
    assert noted == set(EVENTS)
