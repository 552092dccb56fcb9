"""The records and the leases, against a real server."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rowcast.errors import (
    Gone,
    JobDeleted,
    NotFound,
    Unavailable,
    UnknownJob,
    Unprocessable,
    Unreadable,
    WrongState,
)
from rowcast.jobs import job_manifest
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan, unpack_parts
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.job_files import Files
from rowcast.jobs.new_job import NewJob, Repeat
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases, Outcome, RowLease, WaitingRows
from rowcast.jobs.records.policy import STRIKES_ALLOWED, STRIKES_OF_DEATH
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import TABLE, key
from rowcast.jobs.records.scripts import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.jobs.states import TRANSITIONS, Status
from rowcast.settings import Settings
from rowcast.storage import Storage
from upkeep.loop import Upkeep

MODEL = ModelRef(name="titanic", version="1")
PROBLEM = {"type": "urn:rowcast:problem:input-lost", "detail": "it was lost"}


@pytest.fixture
def uploads(redis: RedisClient, settings: Settings) -> Uploads:
    return Uploads(Scripts(redis, settings), settings)


@pytest.fixture
def records(redis: RedisClient, settings: Settings) -> Records:
    return Records(Scripts(redis, settings), settings)


@pytest.fixture
def leases(redis: RedisClient, settings: Settings) -> Leases:
    return Leases(Scripts(redis, settings), "node/1")


@pytest.fixture
def other(redis: RedisClient, settings: Settings) -> Leases:
    return Leases(Scripts(redis, settings), "node/2")


def batch(chunks: int = 7, rows: int = 10, **more: object) -> NewJob:
    columns = InputInfo(bytes=100 * chunks, sha256="ab", filename="in.csv", columns=("age", "pclass"))
    spec = Spec(kind="batch", model=MODEL, options=Options(), input=columns, head_bytes=7)
    plan = pack_plan(PlanEntry(1 + rows * number, rows, 100) for number in range(chunks))
    return NewJob(new_id(), "", spec, rows * chunks, chunks, plan=plan, **more)  # type: ignore[arg-type]


def single(**more: object) -> NewJob:
    spec = Spec(kind="single", model=MODEL, options=Options(probabilities=True))
    return NewJob(new_id(), "", spec, 1, 1, values=[25, 3], **more)  # type: ignore[arg-type]


def part(rows: int = 10, failed: int = 0) -> PartEntry:
    return PartEntry(b"d" * 16, rows, failed, 50, 5 * failed)


def lease_of(leases: Leases, id: str, chunk: int) -> ChunkLease:
    lease = leases.chunk(id, chunk)
    assert isinstance(lease, ChunkLease)
    return lease


def rows_of(leases: Leases, most: int = 10) -> list[RowLease]:
    """The rows that wait, leased."""
    found = leases.take(["rows"], most)
    return list(found.rows) if isinstance(found, WaitingRows) else []


def test_a_batch_runs_from_queued_to_succeeded_and_counts_each_chunk_once(records: Records, leases: Leases) -> None:
    new = batch()
    assert records.make(new) == (new.id, "made")
    assert records.get(new.id).status is Status.QUEUED
    for chunk in range(7):
        lease = lease_of(leases, new.id, chunk)
        assert lease.planned == PlanEntry(1 + 10 * chunk, 10, 100)
        outcome = leases.commit(lease, part(failed=1), {"classes": {"0": 6, "1": 3}})
        assert outcome == ("ended" if chunk == 6 else "counted")
        assert leases.commit(lease, part(failed=1), {}) == "stale"
    job = records.get(new.id)
    assert (job.status, job.rows_done, job.rows_failed, job.chunks_done) == (Status.SUCCEEDED, 70, 7, 7)
    assert job.summary == {"classes": {"0": 42, "1": 21}}
    assert list(unpack_parts(records.parts(new.id, 0, 7), 7)) == [part(failed=1)] * 7


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


def test_what_is_given_back_waits_again_at_once(records: Records, leases: Leases, redis: RedisClient) -> None:
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


def test_leases_of_holders_that_are_gone_are_given_back(records: Records, leases: Leases, other: Leases) -> None:
    new = batch()
    records.make(new)
    lease_of(leases, new.id, 0)
    lease_of(other, new.id, 1)
    assert other.release_of_holders(lambda holder: holder == "node/1", strikes=0) == 1
    assert isinstance(other.chunk(new.id, 0), ChunkLease)


def test_one_bad_row_too_many_fails_the_job(records: Records, leases: Leases) -> None:
    new = batch(max_errors=1)
    records.make(new)
    assert leases.commit(lease_of(leases, new.id, 0), part(failed=1), {}) == "counted"
    assert leases.commit(lease_of(leases, new.id, 1), part(failed=1), {}) == "ended"
    job = records.get(new.id)
    assert job.status is Status.FAILED
    assert job.error
    assert "2 rows" in job.error["detail"]


def test_a_cancelled_job_takes_no_more_and_leaves_nothing_in_flight(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    new = batch()
    records.make(new)
    lease = lease_of(leases, new.id, 0)
    records.cancel(new.id)
    assert leases.renew([lease.member]) == {lease.member}
    assert leases.commit(lease, part(), {}) == "stale"
    assert leases.chunk(new.id, 1) == "idle"
    assert records.get(new.id).rows_done == 0
    assert not redis.exists(key("in_flight", new.id), key("due"), key("leases"))
    with pytest.raises(WrongState):
        records.cancel(new.id)


def test_waiting_rows_are_taken_together_and_end_each_with_its_own_outcome(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    jobs = [single() for _ in range(3)]
    for new in jobs:
        records.make(new)
    assert redis.llen(key("single")) == 1, "one hint serves all that wait"
    rows = rows_of(leases)
    assert [row.id for row in rows] == [new.id for new in jobs]
    assert [row.values for row in rows] == [[25, 3]] * 3
    assert rows_of(leases) == []
    outcomes = [Outcome(rows[0], "succeeded", {"prediction": 0}), Outcome(rows[1], "failed", PROBLEM)]
    assert leases.commit_rows(outcomes) == 2
    assert leases.commit_rows(outcomes) == 0
    leases.release(rows[2:], PROBLEM, strikes=0)
    assert [row.id for row in rows_of(leases)] == [jobs[2].id]
    done, failed, running = (records.get(new.id) for new in jobs)
    assert (done.status, done.result, done.rows_done) == (Status.SUCCEEDED, {"prediction": 0}, 1)
    assert (failed.status, failed.error, failed.rows_failed) == (Status.FAILED, PROBLEM, 1)
    assert running.status is Status.RUNNING


def test_more_rows_than_one_process_takes_wait_for_the_next(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    for _ in range(5):
        records.make(single())
    assert len(rows_of(leases, 3)) == 3
    assert redis.llen(key("single")) == 1
    assert redis.zrange(key("ready_models"), 0, -1) == [b"titanic@1"]
    assert len(rows_of(leases, 3)) == 2


def test_a_cancelled_row_waits_no_more(records: Records, leases: Leases) -> None:
    new = single()
    records.make(new)
    records.cancel(new.id)
    assert rows_of(leases) == []


def test_the_same_request_makes_one_job_and_another_with_its_key_is_refused(records: Records) -> None:
    first = single(repeat=Repeat("digest", "print"))
    assert records.make(first)[1] == "made"
    assert records.make(single(repeat=Repeat("digest", "print"))) == (first.id, "replayed")
    with pytest.raises(Unprocessable, match="different request"):
        records.make(single(repeat=Repeat("digest", "other")))


def test_a_submit_that_is_sent_twice_makes_one_job(records: Records, redis: RedisClient) -> None:
    new = batch()
    assert records.make(new) == records.make(new)
    assert redis.hget(key("totals"), "jobs_taken") == b"1"


def test_a_full_queue_refuses_until_a_job_ends(redis: RedisClient, settings: Settings) -> None:
    records = Records(Scripts(redis, settings), settings.model_copy(update={"max_jobs": 2}))
    first = batch()
    records.make(first)
    records.make(single())
    with pytest.raises(Unavailable, match="ROWCAST_MAX_JOBS"):
        records.make(batch())
    records.cancel(first.id)
    records.make(batch())


def test_jobs_are_listed_newest_first_in_pages(records: Records) -> None:
    ids = []
    for number in range(7):
        new = single() if number % 2 else batch()
        records.make(new)
        ids.append(new.id)
    newest_first = sorted(ids, reverse=True)
    page, cursor = records.page(limit=4)
    assert [job.id for job in page] == newest_first[:4]
    rest, end = records.page(limit=4, before=cursor)
    assert [job.id for job in rest] == newest_first[4:]
    assert end is None
    records.cancel(ids[2])
    assert [job.id for job in records.page(limit=4, status=Status.CANCELLED)[0]] == [ids[2]]


def test_a_deleted_job_leaves_a_tombstone_and_nothing_else(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    new = batch()
    records.make(new)
    lease_of(leases, new.id, 0)
    records.delete(new.id)
    with pytest.raises(Gone):
        records.get(new.id)
    assert redis.hgetall(key("job", new.id)) == {b"status": b"deleted", b"owner": b""}
    assert redis.ttl(key("job", new.id)) > 0
    left = {name for name in TABLE if redis.exists(key(name, new.id))}
    assert left <= {"job", "totals", "live", "batch", "rounds", "removing"}
    with pytest.raises(NotFound):
        records.get(new_id())


@pytest.mark.parametrize("act", ["cancel", "retry", "delete", "get"])
def test_a_deleted_job_is_gone_and_not_unknown_whatever_is_asked_of_it(records: Records, act: str) -> None:
    new = batch()
    records.make(new)
    records.delete(new.id)
    with pytest.raises(JobDeleted):
        getattr(records, act)(new.id)
    with pytest.raises(UnknownJob):
        getattr(records, act)(new_id())


def test_a_call_that_races_with_a_delete_never_says_that_there_was_no_such_job(records: Records) -> None:
    acts = (records.delete, records.cancel, records.retry, records.get, records.delete)
    with ThreadPoolExecutor(len(acts)) as pool:
        for _ in range(200):
            new = batch(chunks=1)
            records.make(new)
            at_once = threading.Barrier(len(acts))

            def call(act: Callable[[str], object], id: str = new.id, at_once: threading.Barrier = at_once) -> object:
                at_once.wait(10)
                try:
                    return act(id)
                except (JobDeleted, WrongState) as error:
                    return type(error)

            outcomes = list(pool.map(call, acts))
            assert sorted([outcomes[0] is JobDeleted, outcomes[-1] is JobDeleted]) == [False, True], "one deletes it"
            with pytest.raises(JobDeleted):
                records.get(new.id)


def test_counts_of_live_jobs_add_up_after_every_way_to_end(
    records: Records, leases: Leases, redis: RedisClient
) -> None:
    jobs = [batch(chunks=1) for _ in range(4)]
    for new in jobs:
        records.make(new)
    records.cancel(jobs[0].id)
    records.delete(jobs[1].id)
    leases.release([lease_of(leases, jobs[2].id, 0)], PROBLEM, strikes=STRIKES_ALLOWED)
    assert redis.hget(key("live"), "*") == b"1"
    leases.commit(lease_of(leases, jobs[3].id, 0), part(), {})
    assert redis.hget(key("live"), "*") == b"0"
    totals = {name: int(count) for name, count in redis.hgetall(key("totals")).items()}
    assert totals[b"jobs_taken"] == 4
    assert totals[b"jobs_succeeded"] + totals[b"jobs_failed"] + totals[b"jobs_cancelled"] == 4


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


def test_every_status_has_its_row_in_the_table_of_states() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert all(status.is_terminal or targets for status, targets in TRANSITIONS.items())


def test_a_row_with_a_strike_against_it_goes_alone(records: Records, leases: Leases) -> None:
    jobs = [single() for _ in range(4)]
    for new in jobs:
        records.make(new)
    leases.release(rows_of(leases), PROBLEM, strikes=1)
    again = [rows_of(leases) for _ in range(5)]
    assert [[row.strikes for row in rows] for rows in again] == [[1], [1], [1], [1], []]


def test_what_is_put_off_comes_back_when_its_time_has_come(
    redis: RedisClient, settings: Settings, records: Records, leases: Leases, tmp_path: Path
) -> None:
    upkeep = Upkeep(redis, Files(Storage(str(tmp_path))), settings)
    new, row = batch(), single()
    records.make(new)
    records.make(row)
    leases.release([lease_of(leases, new.id, 0), *rows_of(leases, 1)], PROBLEM, strikes=0, delay_seconds=60)
    upkeep.tick()
    assert redis.zscore(key("ready_chunks"), f"{new.id}/0") is None, "it is not time yet"
    assert rows_of(leases, 1) == []
    redis.zadd(key("due"), {f"{new.id}/0": 1, f"{row.id}/0": 1})
    redis.delete(key("single"))
    upkeep.tick()
    assert redis.zscore(key("ready_chunks"), f"{new.id}/0") is not None
    assert (redis.llen(key("batch")), redis.llen(key("single"))) == (1, 1)
    assert [lease.id for lease in rows_of(leases, 1)] == [row.id]


def test_files_of_an_upload_that_fell_silent_and_of_a_deleted_job_are_swept(
    redis: RedisClient, settings: Settings, records: Records, uploads: Uploads, tmp_path: Path
) -> None:
    files = Files(Storage(str(tmp_path)))
    upkeep = Upkeep(redis, files, settings)
    silent, deleted, alive = new_id(), batch(), batch()
    for id in (silent, deleted.id, alive.id):
        uploads.announce(id)
        files.put_input(id, 0, b"25,3\n")
    records.make(deleted)
    records.make(alive)
    records.delete(deleted.id)
    upkeep.tick()
    assert len(files.jobs()) == 3
    for id in (silent, deleted.id, alive.id):
        redis.zadd(key("removing"), {id: 1})
    upkeep.tick()
    assert files.jobs() == [alive.id]
    assert not redis.exists(key("removing"))


def test_an_upload_that_was_swept_while_it_arrived_makes_no_job(
    redis: RedisClient, settings: Settings, records: Records, uploads: Uploads, leases: Leases, tmp_path: Path
) -> None:
    WorkerRegistry(redis).heartbeat("node", 1)
    files, new = Files(Storage(str(tmp_path))), batch(chunks=2)
    uploads.announce(new.id)
    files.put_input(new.id, 0, b"25,3\n")
    assert uploads.add_chunks(new.id, 0, [PlanEntry(1, 10, 100)], new)
    lease = lease_of(leases, new.id, 0)
    redis.zadd(key("removing"), {new.id: 1})
    Upkeep(redis, files, settings).tick()
    assert files.jobs() == []
    assert leases.commit(lease, part(), {"classes": {}}) == "stale"
    assert not uploads.add_chunks(new.id, 1, [PlanEntry(11, 10, 100)], None), "it need not be told of the next"
    with pytest.raises(Unreadable, match="silent"):
        records.make(new)


def test_files_that_nobody_has_are_swept_when_they_have_lain_still_and_a_job_that_was_lost_comes_back(
    redis: RedisClient, settings: Settings, records: Records, tmp_path: Path
) -> None:
    files = Files(Storage(str(tmp_path)))
    Upkeep(redis, files, settings).tick()  # from here on Redis knows all jobs of the store
    stray, deleted, lost, alive = new_id(), batch(), batch(), batch()
    for new in (deleted, alive):
        records.make(new)
    records.delete(deleted.id)
    redis.delete(key("removing"))
    for id in (stray, deleted.id, lost.id, alive.id):
        files.put_input(id, 0, b"25,3\n")
    files.put_manifest(lost.id, job_manifest.write(lost))
    upkeep = Upkeep(redis, files, settings)
    upkeep.tick()
    assert records.get(lost.id).status is Status.QUEUED
    assert files.jobs() == sorted([stray, deleted.id, lost.id, alive.id]), "they may be of an upload that goes on"
    for id in (stray, deleted.id):
        assert redis.zadd(key("removing"), {id: 1}, xx=True, ch=True) == 1, "it is announced"
    upkeep.tick()
    assert files.jobs() == sorted([lost.id, alive.id])


def test_an_ended_job_expires_and_its_files_go(
    redis: RedisClient, settings: Settings, records: Records, tmp_path: Path
) -> None:
    files = Files(Storage(str(tmp_path)))
    new = batch()
    records.make(new)
    files.put_input(new.id, 0, b"25,3\n")
    records.cancel(new.id)
    redis.zadd(key("expiring"), {new.id: 1})
    Upkeep(redis, files, settings).tick()
    assert records.get(new.id).status is Status.EXPIRED
    assert files.jobs() == []
    assert redis.ttl(key("job", new.id)) > 0
