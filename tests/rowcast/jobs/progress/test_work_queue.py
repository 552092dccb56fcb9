"""What waits, which worker works on what, and how many rows were scored lately."""

from dataclasses import replace

from record_jobs import batch, lease_of, part, rows_of, single

from rowcast.jobs.progress.online_workers import HeldModel, Work
from rowcast.jobs.progress.work_queue import read_queue
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases, RowOutcome
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.workers import OpenModel, Vitals, WorkerRegistry


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


def test_workers_show_their_memory_and_the_models_of_their_processes(redis: RedisClient) -> None:
    workers = WorkerRegistry(redis)
    workers.heartbeat("node", 2, Vitals(70.04, 2**28))
    workers.report_models("node", 7, {"titanic@1": OpenModel(0.0, 1500), "other@2": OpenModel(90.0, None)})
    workers.report_models("node", 8, {"titanic@1": OpenModel(50.0, 1500)})
    (worker,) = read_queue(redis, None).workers
    assert (worker.uptime_seconds, worker.memory_bytes) == (70.0, 2**28)
    other, titanic = worker.models
    assert (other.model, other.processes, other.file_bytes) == ("other@2", 1, None)
    assert other.idle_seconds >= 90
    assert titanic == HeldModel("titanic@1", 2, titanic.idle_seconds, 1500)
    assert titanic.idle_seconds < 50

    workers.heartbeat("node", 2, Vitals(72.0, None, ended=[7]))  # as outside Linux, after the death of a process
    (worker,) = read_queue(redis, None).workers
    assert worker.memory_bytes is None
    assert [(model.model, model.processes) for model in worker.models] == [("titanic@1", 1)]
    workers.remove("node", 2)
    assert redis.hgetall(key("worker", "node")) == {}


def test_a_worker_that_sends_no_figures_is_shown_without(redis: RedisClient) -> None:
    WorkerRegistry(redis).heartbeat("node", 2)
    (worker,) = read_queue(redis, None).workers
    assert (worker.uptime_seconds, worker.memory_bytes, worker.models) == (None, None, [])
