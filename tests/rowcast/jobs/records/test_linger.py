"""Lingering: a process that has predicted the last row waits for the next, and gets it without a Celery message."""

import threading
from collections.abc import Callable

import pytest

from rowcast.errors import Unavailable
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases, RowLease, RowOutcome, WaitingChunk, WaitingRows
from rowcast.jobs.records.redis_client import RedisClient, connect
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.states import Status
from rowcast.settings import Settings

MODEL = ModelRef(name="titanic", version="1")
OTHER = ModelRef(name="flights", version="2")
LONG = 30
ANY = ("chunk", "rows")


@pytest.fixture
def leases(redis: RedisClient, settings: Settings) -> Leases:
    return Leases(Scripts(redis, settings), "node/1")


def linger(leases: Leases) -> None:
    """Lets the process linger."""
    assert leases.take(ANY, 10, LONG) == "lingering"


def handed(leases: Leases) -> tuple[str, RowLease]:
    """Returns the one row that a lingering process is given, with its model."""
    found = leases.linger(LONG)
    assert isinstance(found, WaitingRows)
    (row,) = found.rows
    return found.model, row


def taken(leases: Leases) -> list[RowLease]:
    """Takes the rows that wait."""
    found = leases.take(["rows"], 10)
    assert isinstance(found, WaitingRows)
    return list(found.rows)


def single(model: ModelRef = MODEL) -> NewJob:
    spec = Spec(kind="single", model=model, options=Options(probabilities=True))
    return NewJob(new_id(), "", spec, 1, 1, values=[25, 3.0000000000000004])


def batch() -> NewJob:
    sent = InputInfo(bytes=9, sha256="", filename=None, columns=("age",))
    spec = Spec(kind="batch", model=MODEL, options=Options(), input=sent)
    return NewJob(new_id(), "", spec, 3, 1, plan=pack_plan([PlanEntry(1, 3, 9)]))


def test_a_row_goes_to_the_process_that_lingers_and_no_message_is_sent(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    linger(leases)
    new = single(OTHER)
    records.make(new)
    assert not redis.exists(key("single"), key("waiting", str(OTHER)), key("ready_models"))
    model, row = handed(leases)
    assert (model, row.id, row.attempt, row.values, row.extras.probabilities, row.strikes) == (
        str(OTHER), new.id, 1, new.values, True, 0,
    )  # fmt: skip
    assert records.get(new.id).status is Status.RUNNING
    assert leases.commit_rows([RowOutcome(row, "succeeded", {"prediction": 0})]) == 1
    assert records.get(new.id).result == {"prediction": 0}


def test_the_next_row_sends_a_message_as_no_process_lingers_any_more(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    linger(leases)
    first, second = single(), single()
    records.make(first)
    records.make(second)
    assert redis.llen(key("single")) == 1
    _, row = handed(leases)
    assert [row.id, *(row.id for row in taken(leases))] == [first.id, second.id]


@pytest.mark.parametrize("work", [batch, single])
def test_no_process_lingers_while_work_waits(
    records: Records, leases: Leases, work: Callable[[], NewJob], redis: RedisClient
) -> None:
    new = work()
    records.make(new)
    kind = "rows" if new.plan else "chunk"
    assert leases.take([kind], 10, LONG) is None, "there is only other work than it takes"  # type: ignore[list-item]
    assert leases.take(ANY, 10, LONG) not in (None, "lingering")
    assert not redis.exists(key("lingering"))


def test_a_batch_calls_a_process_that_lingers_and_no_message_is_sent(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    linger(leases)
    new = batch()
    records.make(new)
    assert leases.linger(LONG) == "called"
    assert not redis.exists(key("batch"))
    assert leases.take(ANY, 10, LONG) == WaitingChunk(new.id, 0)


def test_a_process_that_no_longer_lingers_is_given_nothing(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    linger(leases)
    assert leases.linger(0.01) is None
    records.make(single())
    assert redis.llen(key("single")) == 1


def test_a_row_that_comes_at_the_last_moment_is_not_left_behind(
    records: Records, leases: Leases, redis: RedisClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    linger(leases)
    new = single()

    def too_early(*_: object) -> None:
        records.make(new)

    monkeypatch.setattr(leases._redis, "blpop", too_early)
    _, row = handed(leases)
    assert row.id == new.id


def test_a_process_that_lingers_past_its_deadline_is_given_nothing(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    linger(leases)
    redis.zadd(key("lingering"), {leases.holder: 1})
    records.make(single())
    assert redis.llen(key("single")) == 1
    assert not redis.exists(key("wake", leases.holder))


def test_a_word_from_before_is_not_read_again(records: Records, leases: Leases, redis: RedisClient) -> None:
    redis.lpush(key("wake", leases.holder), "")
    linger(leases)
    assert not redis.exists(key("wake", leases.holder))


def test_the_lease_of_a_process_that_died_with_its_row_is_released(records: Records, leases: Leases) -> None:
    linger(leases)
    new = single()
    records.make(new)
    assert len(leases.release_of_holders(lambda holder: holder == leases.holder, strikes=1)) == 1
    (again,) = taken(leases)
    assert (again.id, again.attempt, again.strikes) == (new.id, 2, 1)


def test_many_processes_predict_each_of_many_rows_once(
    records: Records, redis: RedisClient, settings: Settings
) -> None:
    ids = [single() for _ in range(300)]
    done: list[str] = []
    over = threading.Event()

    def work(number: int) -> None:
        leases = Leases(Scripts(redis, settings), f"node/{number}")
        while not over.is_set():
            work = leases.take(ANY, 5, 0.02)
            found = leases.linger(0.02) if work == "lingering" else work
            rows = found.rows if isinstance(found, WaitingRows) else []
            done.extend(row.id for row in rows)
            leases.commit_rows([RowOutcome(row, "succeeded", {"prediction": 0}) for row in rows])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    try:
        for new in ids:
            records.make(new)
        while len(done) < len(ids):
            assert any(thread.is_alive() for thread in threads)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert sorted(done) == sorted(new.id for new in ids)
    assert {records.get(new.id).status for new in ids} == {Status.SUCCEEDED}


def test_lingering_raises_unavailable_if_redis_cannot_be_reached(settings: Settings) -> None:
    away = Leases(Scripts(connect("redis://127.0.0.1:1"), settings), "node/1")
    with pytest.raises(Unavailable):
        away.linger(0.1)
