"""What waits, which worker works on what, and how many rows were scored lately."""

from dataclasses import replace

from record_jobs import batch, lease_of, part, rows_of, single

from rowcast.jobs.progress.work_queue import Work, read_queue
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases, RowOutcome
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.workers import WorkerRegistry


def test_an_empty_queue_has_nothing(redis: RedisClient) -> None:
    state = read_queue(redis, None)
    assert (state.unfinished_jobs, state.chunks_waiting, state.rows_waiting, state.workers) == (0, 0, 0, [])
    assert (state.chunks_age_seconds, state.rows_age_seconds, state.rows_per_second) == (None, None, 0.0)


def test_what_waits_is_counted_with_the_age_of_the_oldest(redis: RedisClient, records: Records) -> None:
    records.make(batch(chunks=50))
    for _ in range(3):
        records.make(single())
    state = read_queue(redis, None)
    assert (state.unfinished_jobs, state.chunks_waiting, state.rows_waiting) == (4, 4, 3)
    assert state.chunks_age_seconds is not None
    assert state.rows_age_seconds is not None
    assert 0 <= state.rows_age_seconds <= state.chunks_age_seconds


def test_workers_show_their_work_and_those_of_others_are_not_named(
    redis: RedisClient, records: Records, leases: Leases, other: Leases
) -> None:
    WorkerRegistry(redis).heartbeat("node", 2)
    WorkerRegistry(redis).heartbeat("idle", 4)
    bens = batch(chunks=2)
    records.make(replace(bens, owner="ben"))
    records.make(replace(single(), owner="ann"))
    records.make(replace(single(), owner="ann"))
    lease_of(leases, bens.id, 1)
    anns, _ = rows_of(other)
    idle, busy = read_queue(redis, None).workers
    assert (idle.node, idle.processes, idle.work) == ("idle", 4, {})
    assert (busy.node, busy.processes) == ("node", 2)
    assert busy.work["1"] == Work(bens.id, 1, None)
    assert busy.work["2"].rows == 2
    _, seen_by_ann = read_queue(redis, "ann").workers
    assert seen_by_ann.work["1"] == Work("", 1, None)
    assert seen_by_ann.work["2"].job
    assert anns.id


def test_rows_are_counted_when_they_are_committed_and_old_ones_go(
    redis: RedisClient, records: Records, leases: Leases
) -> None:
    redis.hset(key("throughput"), "1", "777")  # of 1970
    new = batch(chunks=2)
    records.make(new)
    records.make(single())
    leases.commit(lease_of(leases, new.id, 0), part(), {})
    (row,) = rows_of(leases)
    leases.commit_rows([RowOutcome(row, "succeeded", {"prediction": 0})])
    state = read_queue(redis, None)
    assert state.rows_last_minute == 11
    assert 0 < state.rows_per_second <= 11 / 10
    assert b"1" not in redis.hgetall(key("throughput"))
