"""Leases of chunks and rows, against a real server."""

import threading
from pathlib import Path

from record_jobs import PROBLEM, batch, lease_of, part, rows_of, single

from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases, RowOutcome
from rowcast.jobs.records.policy import STRIKES_ALLOWED, STRIKES_OF_DEATH
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.states import Status
from rowcast.settings import Settings
from rowcast.storage import Storage
from upkeep.loop import Upkeep


def test_no_more_chunks_are_in_flight_than_the_window(records: Records, leases: Leases, redis: RedisClient) -> None:
    new = batch(chunks=50)
    records.make(new)
    assert redis.zcard(key("ready_chunks")) == redis.hlen(key("in_flight", new.id)) == 4
    assert leases.chunk(new.id, 4) == "idle"
    leases.commit(lease_of(leases, new.id, 2), part(), {})
    assert redis.hlen(key("in_flight", new.id)) == 4
    assert isinstance(leases.chunk(new.id, 4), ChunkLease)


def test_a_chunk_has_one_holder_and_a_zombie_counts_nothing(
    records: Records, leases: Leases, other: Leases, redis: RedisClient
) -> None:
    new = batch()
    records.make(new)
    first = lease_of(leases, new.id, 0)
    assert other.chunk(new.id, 0) == "busy"
    assert lease_of(leases, new.id, 0).attempt == first.attempt  # the same process asks again: its answer was lost
    redis.zadd(key("due"), {first.member: 1})  # its lease has run out
    second = lease_of(other, new.id, 0)
    assert second.attempt == first.attempt + 1
    assert leases.renew([first.member]) == {first.member}
    assert leases.commit(first, part(), {}) == "stale"
    assert other.commit(second, part(), {}) == "counted"
    assert records.get(new.id).rows_done == 10


def test_a_chunk_whose_holders_all_die_fails_its_job_and_names_its_rows(
    records: Records, leases: Leases, other: Leases, redis: RedisClient
) -> None:
    new = batch()
    records.make(new)
    for death in range(STRIKES_ALLOWED // STRIKES_OF_DEATH):
        lease = lease_of((leases, other)[death % 2], new.id, 3)
        assert lease.strikes == death * STRIKES_OF_DEATH
        redis.zadd(key("due"), {lease.member: 1})
    assert leases.chunk(new.id, 3) == "idle"
    job = records.get(new.id)
    assert job.status is Status.FAILED
    assert job.error
    assert "Chunk 3 (rows 31 to 40)" in job.error["detail"]


def test_a_released_chunk_waits_again_at_once(records: Records, leases: Leases, redis: RedisClient) -> None:
    new = batch()
    records.make(new)
    lease = lease_of(leases, new.id, 1)
    assert redis.zscore(key("ready_chunks"), lease.member) is None
    redis.delete(key("batch"))
    leases.release([lease], PROBLEM, strikes=0)
    assert redis.zscore(key("ready_chunks"), lease.member) is not None
    assert redis.llen(key("batch")) == 1
    assert lease_of(leases, new.id, 1).attempt == 2


def test_one_strike_too_many_fails_the_job_with_its_problem(records: Records, leases: Leases) -> None:
    new = batch()
    records.make(new)
    leases.release([lease_of(leases, new.id, 1)], PROBLEM, strikes=STRIKES_ALLOWED - 1)
    assert records.get(new.id).status is Status.RUNNING
    leases.release([lease_of(leases, new.id, 1)], PROBLEM, strikes=1)
    job = records.get(new.id)
    assert (job.status, job.error) == (Status.FAILED, PROBLEM)


def test_leases_of_holders_that_are_gone_are_released(records: Records, leases: Leases, other: Leases) -> None:
    new = batch()
    records.make(new)
    lease_of(leases, new.id, 0)
    lease_of(other, new.id, 1)
    assert len(other.release_of_holders(lambda holder: holder == "node/1", strikes=0)) == 1
    assert isinstance(other.chunk(new.id, 0), ChunkLease)


def test_rows_that_wait_are_taken_together_and_end_each_with_its_outcome(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    jobs = [single() for _ in range(3)]
    for new in jobs:
        records.make(new)
    assert redis.llen(key("single")) == 1, "one message serves all rows that wait"
    rows = rows_of(leases)
    assert [row.id for row in rows] == [new.id for new in jobs]
    assert [row.values for row in rows] == [[25, 3]] * 3
    assert rows_of(leases) == []
    outcomes = [RowOutcome(rows[0], "succeeded", {"prediction": 0}), RowOutcome(rows[1], "failed", PROBLEM)]
    assert leases.commit_rows(outcomes) == 2
    assert leases.commit_rows(outcomes) == 0
    leases.release(rows[2:], PROBLEM, strikes=0)
    assert [row.id for row in rows_of(leases)] == [jobs[2].id]
    done, failed, running = (records.get(new.id) for new in jobs)
    assert (done.status, done.result, done.rows_done) == (Status.SUCCEEDED, {"prediction": 0}, 1)
    assert (failed.status, failed.error, failed.rows_failed) == (Status.FAILED, PROBLEM, 1)
    assert running.status is Status.RUNNING


def test_rows_that_one_process_does_not_take_wait_for_the_next(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    for _ in range(5):
        records.make(single())
    assert len(rows_of(leases, 3)) == 3
    assert redis.llen(key("single")) == 1
    assert redis.zrange(key("ready_models"), 0, -1) == [b"titanic@1"]
    assert len(rows_of(leases, 3)) == 2


def test_a_cancelled_row_no_longer_waits(records: Records, leases: Leases) -> None:
    new = single()
    records.make(new)
    records.cancel(new.id)
    assert rows_of(leases) == []


def test_many_holders_at_once_count_every_chunk_once(redis: RedisClient, redis_url: str, settings: Settings) -> None:
    records = Records(Scripts(redis, settings), settings)
    new = batch(chunks=60)
    records.make(new)

    def work(number: int) -> None:
        mine = Leases(Scripts(redis, settings), f"node/{number}")
        while not records.get(new.id).status.is_terminal:
            for chunk in range(60):
                lease = mine.chunk(new.id, chunk)
                if isinstance(lease, ChunkLease):
                    mine.commit(lease, part(), {"classes": {"0": 10}})
                    mine.commit(lease, part(), {"classes": {"0": 10}})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    job = records.get(new.id)
    assert (job.rows_done, job.chunks_done, job.summary) == (600, 60, {"classes": {"0": 600}})


def test_a_row_with_a_strike_is_leased_by_itself(records: Records, leases: Leases) -> None:
    jobs = [single() for _ in range(4)]
    for new in jobs:
        records.make(new)
    leases.release(rows_of(leases), PROBLEM, strikes=1)
    again = [rows_of(leases) for _ in range(5)]
    assert [[row.strikes for row in rows] for rows in again] == [[1], [1], [1], [1], []]


def test_work_released_with_a_delay_is_offered_when_it_is_due(
    redis: RedisClient, settings: Settings, records: Records, leases: Leases, tmp_path: Path
) -> None:
    upkeep = Upkeep(redis, Files(Storage(str(tmp_path))), settings)
    new, row = batch(), single()
    records.make(new)
    records.make(row)
    leases.release([lease_of(leases, new.id, 0), *rows_of(leases, 1)], PROBLEM, strikes=0, delay_seconds=60)
    upkeep.tick()
    assert redis.zscore(key("ready_chunks"), f"{new.id}/0") is None, "it is not due yet"
    assert rows_of(leases, 1) == []
    redis.zadd(key("due"), {f"{new.id}/0": 1, f"{row.id}/0": 1})
    redis.delete(key("single"))
    upkeep.tick()
    assert redis.zscore(key("ready_chunks"), f"{new.id}/0") is not None
    assert (redis.llen(key("batch")), redis.llen(key("single"))) == (1, 1)
    assert [lease.id for lease in rows_of(leases, 1)] == [row.id]
