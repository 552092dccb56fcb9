"""Lingering: a process that has predicted the last row waits for the next, which goes to it past Celery."""

import threading
from collections.abc import Callable

import pytest

from rowcast.errors import Unavailable
from rowcast.jobs.connection import Connection, connect
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.keys import key
from rowcast.jobs.leases import Leases, Outcome
from rowcast.jobs.options import Options
from rowcast.jobs.packed import Planned, pack_plan
from rowcast.jobs.records import NewJob, Records
from rowcast.jobs.states import Status
from rowcast.jobs.submit import new_id
from rowcast.settings import Settings

MODEL = ModelRef(name="titanic", version="1")
OTHER = ModelRef(name="flights", version="2")
LONG = 30


@pytest.fixture
def records(redis: Connection, settings: Settings) -> Records:
    return Records(redis, settings)


@pytest.fixture
def leases(redis: Connection, settings: Settings) -> Leases:
    return Leases(redis, settings, "node/1")


def single(model: ModelRef = MODEL) -> NewJob:
    spec = Spec(kind="single", model=model, options=Options(probabilities=True))
    return NewJob(new_id(), "", spec, 1, 1, values=[25, 3.0000000000000004])


def batch() -> NewJob:
    sent = InputInfo(bytes=9, sha256="", filename=None, columns=("age",))
    spec = Spec(kind="batch", model=MODEL, options=Options(), input=sent)
    return NewJob(new_id(), "", spec, 3, 1, plan=pack_plan([Planned(1, 3, 9)]))


def test_a_row_goes_to_the_process_that_lingers_and_no_message_is_sent(
    records: Records, leases: Leases, redis: Connection
) -> None:
    assert leases.rows(str(MODEL), 10, LONG) == "lingering"
    new = single(OTHER)
    records.make(new)
    assert not redis.exists(key("single"), key("waiting", str(OTHER)), key("hinted"))
    model, row = leases.linger(LONG) or pytest.fail("it was not woken")
    assert (model, row.id, row.attempt, row.values, row.probabilities, row.strikes) == (
        str(OTHER), new.id, 1, new.values, True, 0,
    )  # fmt: skip
    assert records.get(new.id).status is Status.RUNNING
    assert leases.commit_rows([Outcome(row, "succeeded", {"prediction": 0})]) == 1
    assert records.get(new.id).result == {"prediction": 0}


def test_the_next_row_goes_to_celery_as_nobody_lingers_any_more(
    records: Records, leases: Leases, redis: Connection
) -> None:
    leases.rows(str(MODEL), 10, LONG)
    first, second = single(), single()
    records.make(first)
    records.make(second)
    assert redis.llen(key("single")) == 1
    _, row = leases.linger(LONG) or pytest.fail("it was not woken")
    rest = leases.rows(str(MODEL), 10, LONG)
    assert [row.id, *(row.id for row in rest)] == [first.id, second.id]  # type: ignore[union-attr]


@pytest.mark.parametrize("work", [batch, single])
def test_nobody_lingers_while_work_waits(
    records: Records, leases: Leases, work: Callable[[], NewJob], redis: Connection
) -> None:
    records.make(work())
    assert leases.rows("another@1", 10, LONG) == []
    assert not redis.exists(key("lingering"))


def test_a_batch_calls_who_lingers_away(records: Records, leases: Leases) -> None:
    leases.rows(str(MODEL), 10, LONG)
    records.make(batch())
    assert leases.linger(LONG) is None


def test_who_has_waited_long_enough_is_given_nothing_any_more(
    records: Records, leases: Leases, redis: Connection
) -> None:
    leases.rows(str(MODEL), 10, LONG)
    assert leases.linger(0.01) is None
    records.make(single())
    assert redis.llen(key("single")) == 1


def test_a_row_that_comes_at_the_last_moment_is_not_left_behind(
    records: Records, leases: Leases, redis: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    leases.rows(str(MODEL), 10, LONG)
    new = single()

    def too_early(*_: object) -> None:
        records.make(new)

    monkeypatch.setattr(leases._redis, "blpop", too_early)
    _, row = leases.linger(LONG) or pytest.fail("it was not woken")
    assert row.id == new.id


def test_who_should_have_come_back_long_ago_is_given_nothing(
    records: Records, leases: Leases, redis: Connection
) -> None:
    leases.rows(str(MODEL), 10, LONG)
    redis.zadd(key("lingering"), {leases.holder: 1})
    records.make(single())
    assert redis.llen(key("single")) == 1
    assert not redis.exists(key("wake", leases.holder))


def test_what_was_said_to_it_before_is_not_heard_again(records: Records, leases: Leases, redis: Connection) -> None:
    redis.lpush(key("wake", leases.holder), "")
    assert leases.rows(str(MODEL), 10, LONG) == "lingering"
    assert not redis.exists(key("wake", leases.holder))


def test_the_lease_of_one_that_died_with_its_row_is_given_back(records: Records, leases: Leases) -> None:
    leases.rows(str(MODEL), 10, LONG)
    new = single()
    records.make(new)
    assert leases.give_back_of(lambda holder: holder == leases.holder, strikes=1) == 1
    (again,) = leases.rows(str(MODEL), 10)
    assert (again.id, again.attempt, again.strikes) == (new.id, 2, 1)  # type: ignore[union-attr]


def test_many_rows_and_processes_lose_none_and_have_none_twice(
    records: Records, redis: Connection, settings: Settings
) -> None:
    ids = [single() for _ in range(300)]
    done: list[str] = []
    over = threading.Event()

    def work(number: int) -> None:
        leases = Leases(redis, settings, f"node/{number}")
        while not over.is_set():
            rows = leases.rows(str(MODEL), 5, 0.02)
            if rows == "lingering":
                handed = leases.linger(0.02)
                rows = [handed[1]] if handed else []
            done.extend(row.id for row in rows)  # type: ignore[union-attr]
            leases.commit_rows([Outcome(row, "succeeded", {"prediction": 0}) for row in rows])  # type: ignore[union-attr]

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


def test_lingering_where_redis_is_away_says_so(settings: Settings) -> None:
    away = Leases(connect("redis://127.0.0.1:1"), settings, "node/1")
    with pytest.raises(Unavailable):
        away.linger(0.1)
