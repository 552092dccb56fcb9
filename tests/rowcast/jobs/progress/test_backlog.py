"""The backlog as it is read from Redis, and the set of as many members as processes are wanted."""

import pytest
from record_jobs import batch, lease_of, part, rows_of, single

from rowcast.jobs.chunk_tables import CONVERSION, PlanEntry
from rowcast.jobs.progress import backlog as backlog_module
from rowcast.jobs.progress.backlog import read_backlogs
from rowcast.jobs.progress.wanted_processes import Backlog, BatchBacklog
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases, RowOutcome
from rowcast.jobs.records.policy import UPLOAD_ALIVE_SECONDS
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.settings import Settings
from upkeep.wanted import count_wanted

MODEL = "titanic@1"


@pytest.fixture
def scripts(redis: RedisClient, settings: Settings) -> Scripts:
    return Scripts(redis, settings)


def read_backlog(redis: RedisClient) -> Backlog:
    """Returns the backlog of the default pool, if there is no other."""
    backlogs = read_backlogs(redis)
    assert list(backlogs) == [""]
    return backlogs[""]


def test_an_empty_service_has_no_work(redis: RedisClient) -> None:
    assert read_backlog(redis) == Backlog([], rows_waiting=[])


def test_the_rest_of_a_batch_counts_until_its_last_chunk_is_done(
    redis: RedisClient, records: Records, leases: Leases
) -> None:
    new = batch(chunks=3)
    records.make(new)
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 30, 3)]
    leases.commit(lease_of(leases, new.id, 1), part(), {})
    leased = lease_of(leases, new.id, 0)
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 20, 2)]
    assert read_backlog(redis).has_work
    leases.commit(leased, part(), {})
    leases.commit(lease_of(leases, new.id, 2), part(), {})
    assert (read_backlog(redis).batches, read_backlog(redis).has_work) == ([], False)


def test_a_cancelled_batch_is_no_work_and_a_retried_one_is(redis: RedisClient, records: Records) -> None:
    new = batch(chunks=3)
    records.make(new)
    records.cancel(new.id)
    assert not read_backlog(redis).has_work
    records.retry(new.id)
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 30, 3)]


@pytest.mark.parametrize("what", ["all", "batch", "model titanic", "model titanic@1"])
def test_a_paused_batch_is_no_work_except_for_the_chunk_that_runs(
    redis: RedisClient, records: Records, leases: Leases, scripts: Scripts, what: str
) -> None:
    new = batch(chunks=3)
    records.make(new)
    running = lease_of(leases, new.id, 0)
    scripts.pause("pause", what)
    assert (read_backlog(redis).batches, read_backlog(redis).has_work) == ([], True)
    leases.commit(running, part(), {})
    assert not read_backlog(redis).has_work
    scripts.pause("pause", "model other")
    scripts.pause("resume", what)
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 20, 2)]


def test_a_pause_of_files_leaves_rows_and_their_process(redis: RedisClient, records: Records, scripts: Scripts) -> None:
    records.make(batch(chunks=3))
    scripts.pause("pause", "batch")
    assert not read_backlog(redis).has_work
    records.make(single())
    assert (read_backlog(redis).rows_waiting, read_backlog(redis).has_work) == ([1], True)


def test_the_cost_of_a_row_is_measured_where_chunks_are_counted(
    redis: RedisClient, records: Records, leases: Leases
) -> None:
    new = batch(chunks=4)
    records.make(new)
    first = lease_of(leases, new.id, 0)
    leases.commit(first, part(), {}, 9.0, 0.5)
    assert leases.commit(first, part(), {}, 9.0, 0.5) == "stale"
    assert read_backlog(redis).row_seconds == {MODEL: 0.05}
    leases.commit(lease_of(leases, new.id, 1), part(), {}, 9.0)
    assert read_backlog(redis).row_seconds == {MODEL: 0.05}, "another process scored it, and nothing is known"
    leases.commit(lease_of(leases, new.id, 2), part(), {}, 0.1, 0.1)
    assert 0.01 < read_backlog(redis).row_seconds[MODEL] < 0.03, "the last chunk weighs more than the first"


def test_single_rows_are_work_while_they_wait_and_while_they_are_predicted(
    redis: RedisClient, records: Records, leases: Leases
) -> None:
    for _ in range(3):
        records.make(single())
    assert (read_backlog(redis).rows_waiting, read_backlog(redis).batches) == ([3], [])
    rows = rows_of(leases)
    assert (read_backlog(redis).rows_waiting, read_backlog(redis).has_work) == ([], True)
    leases.commit_rows([RowOutcome(row, "succeeded", {"prediction": 0}) for row in rows])
    assert not read_backlog(redis).has_work


def test_an_upload_is_work_from_its_first_byte_to_its_withdrawal(redis: RedisClient, uploads: Uploads) -> None:
    new = batch(chunks=0)
    uploads.announce(new.id)
    assert (read_backlog(redis).has_work, read_backlog(redis).batches) == (True, [])
    uploads.add_chunks(new.id, 0, [PlanEntry(1, 10, 100)], new)  # without a worker none of it is in flight
    assert read_backlog(redis).has_work
    uploads.withdraw(new.id)
    assert not read_backlog(redis).has_work


def test_what_has_arrived_of_an_upload_counts_once_there_is_a_worker(
    redis: RedisClient, uploads: Uploads, leases: Leases
) -> None:
    redis.zadd(key("workers"), {"node#1": int(redis.time()[0]) * 1000})
    new = batch(chunks=0)
    uploads.announce(new.id)
    uploads.add_chunks(new.id, 0, [PlanEntry(1, 10, 100), PlanEntry(11, 5, 50)], new)
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 15, 2)]
    leases.commit(lease_of(leases, new.id, 0), part(), {})
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 5, 1)]


def test_an_upload_that_broke_off_is_work_for_a_minute_only(redis: RedisClient, uploads: Uploads) -> None:
    id = batch().id
    uploads.announce(id)
    redis.zincrby(key("removing"), -1000 * UPLOAD_ALIVE_SECONDS, id)
    assert not read_backlog(redis).has_work


def test_a_file_that_is_converted_is_a_conversion_and_its_known_chunks(
    redis: RedisClient, records: Records, leases: Leases
) -> None:
    new = batch(chunks=0, is_converting=True)
    records.make(new)
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 0, 0, is_converting=True)]
    lease = leases.chunk(new.id, CONVERSION)
    leases.add_converted(lease, 0, [PlanEntry(1, 10, 100)], lease.spec)
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 10, 1, is_converting=True)]


def test_a_parquet_file_that_is_written_is_as_much_work_as_one_chunk(
    redis: RedisClient, records: Records, leases: Leases
) -> None:
    new = batch(chunks=1)
    records.make(new)
    leases.commit(lease_of(leases, new.id, 0), part(), {})
    records.request_parquet(new.id)
    assert read_backlog(redis).batches == [BatchBacklog(MODEL, 10, 1)]


def test_of_very_many_jobs_some_stand_for_all(
    redis: RedisClient, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backlog_module, "_JOBS_READ", 2)
    for _ in range(5):
        records.make(batch(chunks=1))
    backlog = read_backlog(redis)
    assert (len(backlog.batches), backlog.weight) == (2, 2.5)


def test_the_set_has_a_member_for_each_process_whatever_else_counts(scripts: Scripts, redis: RedisClient) -> None:
    assert scripts.want_processes(3, 60) == redis.zcard(key("wanted")) == 3
    assert scripts.want_processes(3, 60) == 3, "a second upkeep that counts the same changes nothing"
    assert scripts.want_processes(5, 60) == 5
    assert scripts.want_processes(0, 60) == 5, "it falls only when the time is over"


def test_members_go_when_their_time_is_over_and_if_the_clock_was_set_back(scripts: Scripts, redis: RedisClient) -> None:
    scripts.want_processes(3, 60)
    redis.zincrby(key("wanted"), -61_000, "3")
    assert scripts.want_processes(1, 60) == 2
    redis.zincrby(key("wanted"), 3_600_000, "2")
    assert scripts.want_processes(1, 60) == 1


def test_a_job_that_is_made_while_there_is_no_worker_makes_one_wanted(
    scripts: Scripts, records: Records, settings: Settings
) -> None:
    assert count_wanted(scripts, settings) == 0
    records.make(single())
    assert count_wanted(scripts, settings) == 1


def test_a_backlog_that_costs_more_wants_more(
    scripts: Scripts, records: Records, leases: Leases, settings: Settings
) -> None:
    new = batch(chunks=101)
    records.make(new)
    assert count_wanted(scripts, settings) == 1
    leases.commit(lease_of(leases, new.id, 0), part(), {}, 1.5, 1.5)
    assert count_wanted(scripts, settings) == 6, "100 chunks of 1.5 s in 30 s, and a little for each chunk"
