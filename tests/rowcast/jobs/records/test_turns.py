"""Turns: which work comes next, in whatever order and amount it was submitted."""

from typing import Any

import pytest

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.progress.work_queue import read_queue
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases, WaitingChunk, WaitingRows
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.settings import Settings

BUSY = ModelRef(name="busy", version="1")
QUIET = ModelRef(name="quiet", version="1")
PROCESSES = 3


@pytest.fixture
def records(redis: RedisClient, settings: Settings) -> Records:
    WorkerRegistry(redis).heartbeat("node", PROCESSES)
    return Records(Scripts(redis, settings), settings)


@pytest.fixture
def leases(redis: RedisClient, settings: Settings) -> Leases:
    return Leases(Scripts(redis, settings), "node/1")


def add_row(records: Records, model: ModelRef = BUSY) -> str:
    spec = Spec(kind="single", model=model, options=Options())
    return records.make(NewJob(new_id(), "", spec, 1, 1, values=[25]))[0]


def add_file(
    records: Records, chunks: int, owner: str = "", model: ModelRef = BUSY, rows: int = 1, **options: Any
) -> str:
    sent = InputInfo(bytes=9, sha256="", filename=None, columns=("age",))
    spec = Spec(kind="batch", model=model, options=Options(**options), input=sent)
    plan = pack_plan(PlanEntry(1 + chunk * rows, rows, 9) for chunk in range(chunks))
    return records.make(NewJob(new_id(), owner, spec, chunks * rows, chunks, plan=plan))[0]


def rows_next(leases: Leases, most: int = 10) -> tuple[str, int]:
    """Takes the rows that come next. Returns their model and how many they are."""
    found = leases.take(["rows"], most)
    assert isinstance(found, WaitingRows)
    return found.model, len(found.rows)


def chunk_next(leases: Leases) -> tuple[str, int]:
    """Scores the chunk that comes next, and returns its job and number."""
    found = leases.take(["chunk"], 1)
    assert isinstance(found, WaitingChunk)
    lease = leases.chunk(found.id, found.chunk)
    assert isinstance(lease, ChunkLease)
    part = PartEntry(b"d" * 16, lease.planned.rows, 0, 9, 0)
    assert leases.commit(lease, part, {"classes": {}}) in ("counted", "ended")
    return found.id, found.chunk


def messages(redis: RedisClient) -> int:
    return max(redis.llen(key("single")), redis.llen(key("batch")))


def test_a_process_takes_the_kind_of_work_that_it_prefers_and_otherwise_the_other(
    records: Records, leases: Leases
) -> None:
    file = add_file(records, 2)
    add_row(records)
    assert leases.take(["chunk", "rows"], 10) == WaitingChunk(file, 0)
    assert isinstance(leases.take(["rows", "chunk"], 10), WaitingRows)
    assert leases.take(["rows", "chunk"], 10) == WaitingChunk(file, 1)
    assert leases.take(["rows", "chunk"], 10) is None


def test_a_busy_models_rows_do_not_hold_up_anothers(records: Records, leases: Leases) -> None:
    for _ in range(50):
        add_row(records)
    assert rows_next(leases) == ("busy@1", 10)
    add_row(records, QUIET)
    for _ in range(50):
        add_row(records)
    turns = [rows_next(leases) for _ in range(4)]
    assert ("quiet@1", 1) in turns[:2]
    assert turns.count(("busy@1", 10)) == 3


def test_two_busy_models_get_the_same_share(records: Records, leases: Leases) -> None:
    for _ in range(40):
        add_row(records, QUIET)
    for _ in range(400):
        add_row(records)
    turns = [rows_next(leases) for _ in range(8)]
    assert turns.count(("busy@1", 10)) == turns.count(("quiet@1", 10)) == 4


def test_a_small_file_does_not_wait_for_a_giant_one(records: Records, leases: Leases) -> None:
    giant = add_file(records, 1_000)
    for _ in range(20):
        assert chunk_next(leases)[0] == giant
    small = [add_file(records, 1) for _ in range(5)]
    turns = [chunk_next(leases)[0] for _ in range(7)]
    assert set(small) <= set(turns)
    assert turns.count(giant) == 2


def test_a_giant_file_goes_on_while_small_ones_keep_coming(records: Records, leases: Leases) -> None:
    """Two files come for each chunk that is scored: more than can be done."""
    giant = add_file(records, 1_000)
    turns = []
    for _ in range(62):
        add_file(records, 1)
        add_file(records, 1)
        turns.append(chunk_next(leases))
    chunks = [chunk for id, chunk in turns if id == giant]
    assert chunks == list(range(len(chunks)))
    assert len(chunks) >= 5, "one chunk in each round; a round is as long as the files that came in the one before"


def test_two_files_of_the_same_size_take_turns(records: Records, leases: Leases) -> None:
    files = [add_file(records, 100) for _ in range(2)]
    turns = [chunk_next(leases)[0] for _ in range(40)]
    assert [turns.count(file) for file in files] == [20, 20]


def test_a_job_of_high_priority_goes_first_and_one_of_low_priority_does_not_stand_still(
    records: Records, leases: Leases
) -> None:
    low = [add_file(records, 100, priority="low") for _ in range(10)]
    for _ in range(10):
        chunk_next(leases)
    normal = [add_file(records, 100) for _ in range(10)]
    high = add_file(records, 100, priority="high")
    turns = [chunk_next(leases)[0] for _ in range(64)]
    counts = [turns.count(high), sum(map(turns.count, normal)), sum(map(turns.count, low))]
    assert counts == [64 - 16, 16 - 4, 4]
    assert turns.index(high) < 4


def test_a_small_file_waits_for_one_chunk_of_each_file_of_its_own_priority(records: Records, leases: Leases) -> None:
    for _ in range(4):
        add_file(records, 1_000, priority="low")
    for _ in range(30):
        chunk_next(leases)
    small = add_file(records, 1, priority="low")
    turns = [chunk_next(leases)[0] for _ in range(8)]
    assert small in turns, "after the rest of this round, in the next one"


def test_two_owners_get_half_each_however_many_files_and_whatever_priority_one_has(
    records: Records, leases: Leases
) -> None:
    of_many = {add_file(records, 3, "many", priority="high") for _ in range(40)}
    of_one = add_file(records, 100, "one", priority="low")
    turns = [chunk_next(leases)[0] for _ in range(60)]
    assert turns.count(of_one) == 30
    assert sum(id in of_many for id in turns) == 30


def test_an_owner_alone_gets_everything_and_saves_up_nothing_while_it_has_no_file(
    records: Records, leases: Leases
) -> None:
    alone = add_file(records, 1_000, "alone")
    for _ in range(50):
        assert chunk_next(leases)[0] == alone
    late = add_file(records, 1_000, "late")
    turns = [chunk_next(leases)[0] for _ in range(20)]
    assert (turns.count(alone), turns.count(late)) == (10, 10)


def test_owners_share_processor_time_not_chunks(records: Records, leases: Leases, redis: RedisClient) -> None:
    """A row of the slow model takes ten times as long as one of the quick model."""
    redis.hset(key("costs"), mapping={"busy@1": "1000 1000000", "quiet@1": "1000 100000"})
    slow = add_file(records, 1_000, "slow", rows=1_000)
    quick = add_file(records, 1_000, "quick", QUIET, rows=1_000)
    turns = [chunk_next(leases)[0] for _ in range(110)]
    assert turns.count(quick) == pytest.approx(10 * turns.count(slow), rel=0.1)


def test_an_owner_whose_files_come_one_by_one_pays_for_each(records: Records, leases: Leases) -> None:
    giant = add_file(records, 1_000, "giant")
    turns = []
    for _ in range(40):
        add_file(records, 1, "small")
        turns.append(chunk_next(leases)[0])
    assert turns.count(giant) == pytest.approx(20, abs=1)


def test_what_waits_of_every_owner_and_priority_is_in_the_state_of_the_queue(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    for owner in ("", "a", "b"):
        for priority in ("low", "normal", "high"):
            add_file(records, 2, owner, priority=priority)
    assert read_queue(redis, None).chunks_waiting == 18
    for left in range(17, -1, -1):
        chunk_next(leases)
        assert read_queue(redis, None).chunks_waiting == left
    redis.delete(key("batch"))
    assert leases.take(["chunk"], 10) is None
    assert not redis.exists(key("batch"), key("ready_owners"))


def test_owners_whose_files_were_cancelled_call_no_process(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    for owner in ("a", "b"):
        records.cancel(add_file(records, 2, owner))
    redis.delete(key("batch"))
    assert leases.take(["rows"], 10) is None
    assert not redis.exists(key("batch"), key("ready_owners"))


def test_no_more_messages_are_sent_than_there_are_processes(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    most = 0
    for number in range(300):
        add_row(records, ModelRef(name=f"model{number % 7}", version="1"))
        most = max(most, messages(redis))
        if number % 10 == 0:
            add_file(records, 20)
            most = max(most, messages(redis))
        if number % 3 == 0:
            leases.take(["rows"], 10)
            most = max(most, messages(redis))
    assert most == PROCESSES


def test_rows_send_no_second_message_while_one_waits(records: Records, leases: Leases, redis: RedisClient) -> None:
    for _ in range(50):
        add_row(records)
        assert rows_next(leases) == ("busy@1", 1)
    assert redis.llen(key("single")) == 1


def test_a_process_that_finds_no_work_sends_no_message(records: Records, leases: Leases, redis: RedisClient) -> None:
    add_row(records)
    add_file(records, 1)
    rows_next(leases)
    chunk_next(leases)
    redis.delete(key("single"), key("batch"))
    assert leases.take(["chunk", "rows"], 10) is None
    assert not redis.exists(key("single"), key("batch"))


def test_work_that_a_process_leaves_behind_calls_the_next(records: Records, leases: Leases, redis: RedisClient) -> None:
    add_file(records, 3)
    for _ in range(20):
        add_row(records)
    redis.delete(key("single"), key("batch"))
    rows_next(leases)
    assert (redis.llen(key("single")), redis.llen(key("batch"))) == (1, 1)
