"""Pools of workers in the records: each has its own lines, messages, lingering processes, windows and wanted number."""

import json

import pytest
from record_jobs import batch, lease_of, part, rows_of, single

from rowcast.jobs.chunk_tables import PlanEntry
from rowcast.jobs.progress.backlog import read_backlogs
from rowcast.jobs.progress.work_queue import read_queue
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases, WaitingChunk, WaitingRows
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key, pool_key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.jobs.states import Status
from rowcast.settings import Settings
from upkeep.wanted import count_wanted

HEAVY = "heavy"
ANY = ("chunk", "rows")
LONG = 30


@pytest.fixture
def scripts(redis: RedisClient, settings: Settings) -> Scripts:
    return Scripts(redis, settings)


@pytest.fixture
def heavy(scripts: Scripts) -> Leases:
    """A process of the pool `heavy`. That of the default pool is the fixture `leases`."""
    return Leases(scripts, "node/2", HEAVY)


def messages(redis: RedisClient, pool: str) -> tuple[int, int]:
    return redis.llen(pool_key("single", pool)), redis.llen(pool_key("batch", pool))


def test_a_process_takes_only_work_of_its_pool(records: Records, leases: Leases, heavy: Leases) -> None:
    files = {pool: records.make(batch(1, pool=pool))[0] for pool in ("", HEAVY)}
    rows = {pool: records.make(single(pool=pool))[0] for pool in ("", HEAVY)}
    for pool, own in (("", leases), (HEAVY, heavy)):
        assert own.take(["chunk"], 10) == WaitingChunk(files[pool], 0)
        taken = own.take(["rows"], 10)
        assert isinstance(taken, WaitingRows)
        assert (taken.model, [row.id for row in taken.rows]) == ("titanic@1", [rows[pool]])
        assert own.take(ANY, 10) is None


def test_a_chunk_that_an_older_upkeep_puts_in_the_wrong_line_goes_back(
    redis: RedisClient, records: Records, leases: Leases, heavy: Leases
) -> None:
    new = batch(1, pool=HEAVY)
    records.make(new)
    assert heavy.take(ANY, 10) == WaitingChunk(new.id, 0)
    redis.zadd(key("ready_chunks"), {f"{new.id}/0": 1})
    redis.zadd(key("ready_owners"), {"": 1})
    taken = leases.take(ANY, 10)
    assert taken == WaitingChunk(new.id, 0)
    assert leases.chunk(new.id, 0) == "idle"
    assert heavy.take(ANY, 10) == taken
    assert lease_of(heavy, new.id, 0).attempt == 1


def test_messages_of_a_pool_are_bounded_by_its_own_processes(redis: RedisClient, records: Records) -> None:
    workers = WorkerRegistry(redis)
    workers.heartbeat("many", 5)
    workers.heartbeat("few", 2, pool=HEAVY)
    for _ in range(9):
        for pool in ("", HEAVY):
            records.make(batch(3, pool=pool))
            records.make(single(pool=pool))
    assert messages(redis, "") == (1, 5), "the rows are of one model"
    assert messages(redis, HEAVY) == (1, 2)


def test_a_message_of_a_pool_names_its_queue_so_that_it_comes_back_to_it(redis: RedisClient, records: Records) -> None:
    records.make(batch(1, pool=HEAVY))
    records.make(batch(1))
    own, usual = (json.loads(redis.lpop(pool_key("batch", pool)) or b"") for pool in (HEAVY, ""))
    assert own["properties"]["delivery_info"] == {"exchange": "", "routing_key": "rowcast.batch.heavy"}
    own["properties"]["delivery_info"] = usual["properties"]["delivery_info"]
    assert json.dumps(own).replace('"m1"', '"m2"') == json.dumps(usual), "nothing else differs"


def test_the_window_of_a_job_counts_the_processes_of_its_pool(redis: RedisClient, records: Records) -> None:
    WorkerRegistry(redis).heartbeat("many", 5)
    WorkerRegistry(redis).heartbeat("few", 3, pool=HEAVY)
    jobs = {pool: records.make(batch(20, pool=pool))[0] for pool in ("", HEAVY)}
    assert {pool: redis.hlen(key("in_flight", id)) for pool, id in jobs.items()} == {"": 10, HEAVY: 6}  # type: ignore[attr-defined]


def test_a_row_is_handed_only_to_a_lingering_process_of_its_pool(
    redis: RedisClient, records: Records, leases: Leases, heavy: Leases
) -> None:
    assert leases.take(ANY, 10, LONG) == heavy.take(ANY, 10, LONG) == "lingering"
    new = single(pool=HEAVY)
    records.make(new)
    assert messages(redis, HEAVY) == messages(redis, "") == (0, 0)
    handed = heavy.linger(LONG)
    assert isinstance(handed, WaitingRows)
    assert [row.id for row in handed.rows] == [new.id]
    records.make(batch(1, pool=HEAVY))
    assert messages(redis, HEAVY) == (0, 1), "the process of the default pool is not called"
    assert leases.linger(0.01) is None


def test_work_that_a_process_gives_back_waits_in_its_pool(
    redis: RedisClient, records: Records, leases: Leases, heavy: Leases, scripts: Scripts
) -> None:
    file, row = (records.make(new)[0] for new in (batch(1, pool=HEAVY), single(pool=HEAVY)))
    heavy.take(["chunk"], 10)
    held = [lease_of(heavy, file, 0), *rows_of(heavy)]
    heavy.release(held, {"type": "", "detail": ""}, strikes=0)
    assert leases.take(ANY, 10) is None
    heavy.take(["chunk"], 10)
    held = [lease_of(heavy, file, 0), *rows_of(heavy)]
    redis.delete(pool_key("batch", HEAVY), pool_key("single", HEAVY))
    scripts.run_out((lease.member, lease.attempt, int(end)) for lease, end in zip(held, ends(redis, held), strict=True))
    assert sorted(scripts.resend(10)) == sorted([file, row])
    assert leases.take(ANY, 10) is None
    assert messages(redis, HEAVY) == (1, 1)
    assert heavy.take(["chunk"], 10) == WaitingChunk(file, 0)
    assert [one.id for one in rows_of(heavy)] == [row]


def ends(redis: RedisClient, leases: list) -> list:  # type: ignore[type-arg]
    return redis.zmscore(key("due"), [lease.member for lease in leases])


def test_upkeep_sends_a_lost_message_to_the_pool(redis: RedisClient, records: Records, scripts: Scripts) -> None:
    for new in (batch(1, pool=HEAVY), single(pool=HEAVY)):
        records.make(new)
    redis.delete(pool_key("batch", HEAVY), pool_key("single", HEAVY))
    redis.zadd(key("due"), dict.fromkeys((one.decode() for one in redis.zrange(key("due"), 0, -1)), 1))
    scripts.resend(10)
    assert (messages(redis, HEAVY), messages(redis, "")) == ((1, 1), (0, 0))


def test_paused_work_of_a_pool_goes_on_there(
    redis: RedisClient, records: Records, leases: Leases, heavy: Leases, scripts: Scripts
) -> None:
    scripts.pause("pause", "model titanic")
    file, row = (records.make(new)[0] for new in (batch(1, pool=HEAVY), single(pool=HEAVY)))
    assert heavy.take(ANY, 10) is None
    redis.delete(pool_key("batch", HEAVY), pool_key("single", HEAVY))
    scripts.pause("resume")
    assert (messages(redis, HEAVY), messages(redis, "")) == ((1, 1), (0, 0))
    assert leases.take(ANY, 10) is None
    assert heavy.take(["chunk"], 10) == WaitingChunk(file, 0)
    assert [one.id for one in rows_of(heavy)] == [row]


def test_a_row_that_has_ended_leaves_its_pool(redis: RedisClient, records: Records, scripts: Scripts) -> None:
    cancelled, deleted, late = (records.make(single(pool=HEAVY))[0] for _ in range(3))
    assert scripts.audit_jobs([late])[0].is_waiting_or_leased
    records.cancel(cancelled)
    records.delete(deleted)
    redis.zadd(key("deadlines"), {late: 1})
    assert scripts.fail_late(10) == [late]
    assert not redis.llen(key("waiting", "heavy:titanic@1"))


def test_an_upload_of_a_pool_is_scored_there_while_it_arrives(
    redis: RedisClient, uploads: Uploads, records: Records, leases: Leases, heavy: Leases
) -> None:
    WorkerRegistry(redis).heartbeat("few", 1, pool=HEAVY)
    new = batch(1, pool=HEAVY)
    uploads.announce(new.id, "")
    uploads.add_chunks(new.id, 0, [PlanEntry(1, 10, 100)], new)
    assert leases.take(ANY, 10) is None
    assert heavy.take(ANY, 10) == WaitingChunk(new.id, 0)
    heavy.commit(lease_of(heavy, new.id, 0), part(), {})
    records.make(new)
    assert records.get(new.id).status is Status.SUCCEEDED


def test_each_pool_wants_processes_for_its_own_work(
    redis: RedisClient, records: Records, heavy: Leases, scripts: Scripts, settings: Settings
) -> None:
    records.make(batch(3, pool=HEAVY))
    records.make(single(pool=HEAVY))
    backlogs = read_backlogs(redis)
    assert (len(backlogs[HEAVY].batches), backlogs[HEAVY].rows_waiting, backlogs[HEAVY].has_work) == (1, [1], True)
    assert (backlogs[""].batches, backlogs[""].rows_waiting, backlogs[""].has_work) == ([], [], False)
    assert count_wanted(scripts, settings) == 0
    assert redis.zcard(pool_key("wanted", HEAVY)) == redis.zcard("rowcast:wanted:heavy") == 2


def test_the_queue_shows_a_pool_without_a_worker(redis: RedisClient, records: Records) -> None:
    WorkerRegistry(redis).heartbeat("node", 2)
    assert [one.pool for one in read_queue(redis, None, ["idle"]).pools] == ["", "idle"]
    records.make(batch(3, pool=HEAVY))
    records.make(single(pool=HEAVY))
    records.make(single())
    usual, lacking = read_queue(redis, None).pools
    assert (usual.pool, usual.rows_waiting, usual.chunks_waiting, usual.processes, usual.lacks_worker) == (
        "", 1, 0, 2, False,
    )  # fmt: skip
    assert (lacking.pool, lacking.rows_waiting, lacking.chunks_waiting, lacking.processes, lacking.lacks_worker) == (
        HEAVY, 1, 3, 0, True,
    )  # fmt: skip
    state = read_queue(redis, None)
    assert (state.chunks_waiting, state.rows_waiting) == (3, 2)


def test_a_job_says_that_its_pool_has_no_worker(redis: RedisClient, records: Records) -> None:
    WorkerRegistry(redis).heartbeat("node", 2)
    id, usual = records.make(batch(1, pool=HEAVY))[0], records.make(batch(1))[0]
    assert records.get(id).lacks_worker
    assert not records.get(usual).lacks_worker
    WorkerRegistry(redis).heartbeat("other", 1, pool=HEAVY)
    assert not records.get(id).lacks_worker
