"""The job records, against a real server."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from record_jobs import PROBLEM, batch, lease_of, part, single

from rowcast.errors import (
    Gone,
    JobDeleted,
    NotFound,
    NotRepairable,
    Unavailable,
    UnknownJob,
    Unprocessable,
    WrongState,
)
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PlanEntry, RepairedChunk, unpack_parts
from rowcast.jobs.job_filter import JobFilter
from rowcast.jobs.new_job import Repeat
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.policy import CHECK_SECONDS, STRIKES_ALLOWED
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import TABLE, key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.states import TRANSITIONS, Status
from rowcast.settings import Settings


def test_a_batch_runs_from_queued_to_succeeded_and_counts_each_chunk_once(records: Records, leases: Leases) -> None:
    new = batch()
    assert records.make(new) == (new.id, "made")
    assert records.get(new.id).status is Status.QUEUED
    for chunk in range(7):
        lease = lease_of(leases, new.id, chunk)
        assert lease.planned == PlanEntry(1 + 10 * chunk, 10, 100)
        outcome = leases.commit(lease, part(failed=1), {"classes": {"0": 6, "1": 3}}, cpu_seconds=0.25)
        assert outcome == ("ended" if chunk == 6 else "counted")
        assert leases.commit(lease, part(failed=1), {}) == "stale"
    job = records.get(new.id)
    assert (job.status, job.rows_done, job.rows_failed, job.chunks_done) == (Status.SUCCEEDED, 70, 7, 7)
    assert (job.cpu_seconds, job.attempts) == (1.75, 7)
    assert job.summary == {"classes": {"0": 42, "1": 21}}
    assert list(unpack_parts(records.parts(new.id, 0, 7), 7)) == [part(failed=1)] * 7


def test_a_job_fails_if_it_has_too_many_bad_rows(records: Records, leases: Leases) -> None:
    new = batch(max_errors=1)
    records.make(new)
    assert leases.commit(lease_of(leases, new.id, 0), part(failed=1), {}) == "counted"
    assert leases.commit(lease_of(leases, new.id, 1), part(failed=1), {}) == "ended"
    job = records.get(new.id)
    assert job.status is Status.FAILED
    assert job.error
    assert "2 rows" in job.error["detail"]


def test_a_cancelled_job_takes_no_part_and_leaves_nothing_in_flight(
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


def test_a_repeated_request_makes_one_job_and_another_with_its_key_is_refused(records: Records) -> None:
    first = single(repeat=Repeat("digest", "print"))
    assert records.make(first)[1] == "made"
    assert records.make(single(repeat=Repeat("digest", "print"))) == (first.id, "replayed")
    with pytest.raises(Unprocessable, match="different request"):
        records.make(single(repeat=Repeat("digest", "other")))


def test_a_submit_that_is_sent_twice_makes_one_job(records: Records, redis: RedisClient) -> None:
    new = batch()
    assert records.make(new) == records.make(new)
    assert redis.hget(key("totals"), "jobs_accepted") == b"1"


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
    assert [job.id for job in records.page(limit=4, taken=JobFilter(Status.CANCELLED))[0]] == [ids[2]]


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
    assert left <= {"job", "totals", "metrics", "live", "batch", "rounds", "removing", "ready_owners"}
    with pytest.raises(NotFound):
        records.get(new_id())


@pytest.mark.parametrize("act", ["cancel", "retry", "delete", "get"])
def test_every_call_about_a_deleted_job_says_that_it_is_gone(records: Records, act: str) -> None:
    new = batch()
    records.make(new)
    records.delete(new.id)
    with pytest.raises(JobDeleted):
        getattr(records, act)(new.id)
    with pytest.raises(UnknownJob):
        getattr(records, act)(new_id())


def test_a_call_that_races_with_a_delete_never_says_that_the_job_is_unknown(records: Records) -> None:
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


def test_counts_of_live_jobs_add_up_after_every_kind_of_end(
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
    assert totals[b"jobs_accepted"] == 4
    assert totals[b"jobs_succeeded"] + totals[b"jobs_failed"] + totals[b"jobs_cancelled"] == 4


def test_every_status_has_its_row_in_the_table_of_states() -> None:
    assert set(TRANSITIONS) == set(Status)
    assert all(status.is_terminal or targets for status, targets in TRANSITIONS.items())


def test_a_new_job_is_as_its_record_says(records: Records) -> None:
    for new in (batch(), single()):
        records.make(new)
        assert new.queued() == records.get(new.id)


def test_calls_show_no_internal_status() -> None:
    assert set(Status) - set(Status.public()) == {Status.ARRIVING, Status.DELETED}


def test_the_job_of_a_check_is_not_listed_and_goes_soon(records: Records, leases: Leases, redis: RedisClient) -> None:
    new = batch(chunks=1)
    records.make(replace(new, spec=new.spec.model_copy(update={"is_check": True})))
    assert records.page(limit=10) == ([], None)
    assert leases.commit(lease_of(leases, new.id, 0), part(), {"classes": {"0": 10}}) == "ended"
    assert redis.zscore(key("expiring"), new.id) == records.get(new.id).finished_ms + 1000 * CHECK_SECONDS


def test_a_repair_counts_a_chunk_again_and_only_its_new_predictions(records: Records, leases: Leases) -> None:
    new = batch(chunks=2)
    records.make(new)
    for chunk in range(2):
        leases.commit(lease_of(leases, new.id, chunk), part(failed=2), {"classes": {"0": 8}})
    corrected = [RepairedChunk(1, "", "ab12", PlanEntry(11, 10, 90))]
    records.repair(new.id, corrected)
    job = records.get(new.id)
    assert (job.status, job.repairs, job.rows_done, job.rows_failed) == (Status.QUEUED, 1, 10, 2)
    lease = lease_of(leases, new.id, 1)
    assert (lease.revision, lease.revision_before, lease.planned.input_bytes) == ("ab12", "", 90)
    assert leases.commit(replace(lease, revision=""), part(), {}) == "stale", "a part of the rows as they were"
    assert leases.commit(lease, part(failed=1), {"classes": {"1": 1}}) == "ended"
    job = records.get(new.id)
    assert (job.status, job.rows_done, job.rows_failed) == (Status.SUCCEEDED, 20, 3)
    assert job.summary == {"classes": {"0": 16, "1": 1}}
    records.repair(new.id, corrected)  # the answer was lost, and the call is repeated
    assert records.get(new.id) == job
    with pytest.raises(NotRepairable, match="in the same moment"):
        records.repair(new.id, [RepairedChunk(1, "", "cd34", PlanEntry(11, 10, 90))])
