"""Pauses: what is paused is handed to no process, waits, and goes on in its order when it is resumed."""

from dataclasses import replace

import pytest
from record_jobs import MODEL, batch, lease_of, part, rows_of, single

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.job import ModelRef
from rowcast.jobs.progress.work_queue import read_queue
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases, WaitingChunk
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.settings import Settings

OTHER = ModelRef(name="other", version="2")
ANY = ("chunk", "rows")
LONG = 30


@pytest.fixture
def scripts(redis: RedisClient, settings: Settings) -> Scripts:
    return Scripts(redis, settings)


def chunks(leases: Leases) -> list[int]:
    """Takes and commits every chunk that comes."""
    found = []
    while isinstance(taken := leases.take(["chunk"], 1), WaitingChunk):
        leases.commit(lease_of(leases, taken.id, taken.chunk), part(), {"classes": {"0": 10}})
        found.append(taken.chunk)
    return found


@pytest.mark.parametrize("what", ["all", "batch", "model titanic", "model titanic@1"])
def test_no_chunk_is_handed_out_until_it_is_resumed(
    records: Records, leases: Leases, scripts: Scripts, redis: RedisClient, what: str
) -> None:
    records.make(batch(chunks=7))
    scripts.pause("pause", what)
    assert leases.take(ANY, 10, LONG) == "lingering"
    assert leases.take(ANY, 10) is None
    queue = read_queue(redis, None)
    assert (queue.chunks_waiting, list(queue.paused)) == (4, [what])
    redis.delete(key("batch"))
    scripts.pause("resume", what)
    assert redis.llen(key("batch")) == 1 or redis.llen(key("wake", leases.holder)) == 1
    assert chunks(leases) == list(range(7))


@pytest.mark.parametrize("what", ["single", "model other", "model titanic@2", "model titan"])
def test_a_pause_of_something_else_holds_up_no_chunk(
    records: Records, leases: Leases, scripts: Scripts, what: str
) -> None:
    scripts.pause("pause", what)
    records.make(batch(chunks=3))
    assert chunks(leases) == [0, 1, 2]


def test_of_two_models_in_one_pass_each_one_pauses_the_job(records: Records, leases: Leases, scripts: Scripts) -> None:
    new = batch(chunks=1)
    records.make(replace(new, spec=new.spec.model_copy(update={"model": MODEL, "second_model": OTHER})))
    scripts.pause("pause", "model other")
    assert chunks(leases) == []
    scripts.pause("resume", "")
    assert chunks(leases) == [0]


def test_a_chunk_that_was_taken_just_before_the_pause_gets_no_lease(
    records: Records, leases: Leases, scripts: Scripts
) -> None:
    records.make(batch(chunks=1))
    taken = leases.take(["chunk"], 1)
    assert isinstance(taken, WaitingChunk)
    scripts.pause("pause", "all")
    assert leases.chunk(taken.id, taken.chunk) == "paused"
    scripts.pause("resume", "")
    assert chunks(leases) == [0]


def test_a_lease_from_before_the_pause_is_renewed_and_counted(
    records: Records, leases: Leases, scripts: Scripts
) -> None:
    new = batch(chunks=2)
    records.make(new)
    lease = lease_of(leases, new.id, 0)
    assert scripts.pause("pause", "all").running == 1
    assert lease_of(leases, new.id, 0).attempt == lease.attempt, "its answer was lost, and it asks again"
    assert not leases.renew([lease.member])
    assert leases.commit(lease, part(), {"classes": {"0": 10}}) == "counted"
    assert scripts.pause("read").running == 0
    assert chunks(leases) == []


def test_a_row_goes_to_no_process_that_lingers_while_rows_are_paused(
    records: Records, leases: Leases, scripts: Scripts, redis: RedisClient
) -> None:
    scripts.pause("pause", "single")
    assert leases.take(ANY, 10, LONG) == "lingering"
    records.make(single())
    records.make(single())
    assert redis.zcard(key("lingering")) == 1, "it was not called"
    assert rows_of(leases) == []
    assert read_queue(redis, None).rows_waiting == 2
    scripts.pause("resume", "single")
    assert len(rows_of(leases)) == 2


def test_upkeep_calls_nobody_for_what_is_paused(records: Records, scripts: Scripts, redis: RedisClient) -> None:
    records.make(batch(chunks=2))
    records.make(single())
    scripts.pause("pause", "all")
    redis.delete(key("batch"), key("single"))
    for _ in range(3):
        redis.zadd(key("due"), dict.fromkeys(redis.zrange(key("due"), 0, -1), 1))
        assert not scripts.resend(100)
    assert not redis.exists(key("batch"), key("single"))
    queue = read_queue(redis, None)
    assert (queue.chunks_waiting, queue.rows_waiting) == (2, 1)


def test_a_job_that_is_cancelled_while_it_is_paused_leaves_nothing(
    records: Records, leases: Leases, scripts: Scripts, redis: RedisClient
) -> None:
    new = batch(chunks=3)
    records.make(new)
    scripts.pause("pause", "all")
    assert chunks(leases) == []
    records.cancel(new.id)
    assert not redis.exists(key("parked_chunks"))
    scripts.pause("resume", "")
    assert chunks(leases) == []


def test_what_is_resumed_shares_its_turns_with_jobs_that_came_later(
    records: Records, leases: Leases, scripts: Scripts, redis: RedisClient
) -> None:
    WorkerRegistry(redis).heartbeat("node", 1)
    early, late = batch(chunks=4), batch(chunks=4)
    late = replace(late, id=new_id(), spec=late.spec.model_copy(update={"model": OTHER}))
    records.make(early)
    scripts.pause("pause", "model titanic")
    assert leases.take(ANY, 10) is None
    records.make(late)
    first = leases.take(["chunk"], 1)
    assert isinstance(first, WaitingChunk)
    assert first.id == late.id
    scripts.pause("resume", "model titanic")
    order = [taken.id for _ in range(4) if isinstance(taken := leases.take(["chunk"], 1), WaitingChunk)]
    assert order == [early.id, late.id, early.id, late.id]


def test_a_pause_keeps_its_first_time(scripts: Scripts) -> None:
    before = scripts.pause("pause", "batch").since_ms
    assert scripts.pause("pause", "batch").since_ms == before
