"""Uploads, and the removal of files that no job needs, against a real server."""

from pathlib import Path

import pytest
from record_jobs import batch, lease_of, part

from rowcast.errors import UnknownJob, Unreadable, UploadGone
from rowcast.jobs import job_manifest
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PlanEntry, pack_plan
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.jobs.states import Status
from rowcast.settings import Settings
from rowcast.storage import Storage
from upkeep.loop import Upkeep


def test_files_of_a_silent_upload_and_of_a_deleted_job_are_removed(
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


def test_an_upload_that_was_removed_as_silent_makes_no_job(
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
    assert not uploads.add_chunks(new.id, 1, [PlanEntry(11, 10, 100)], None), "the next ones need not be added"
    with pytest.raises(Unreadable, match="silent"):
        records.make(new)


def test_orphaned_files_are_removed_and_a_job_whose_record_was_lost_comes_back(
    redis: RedisClient, settings: Settings, records: Records, tmp_path: Path
) -> None:
    files = Files(Storage(str(tmp_path)))
    Upkeep(redis, files, settings).tick()  # from here on Redis has a record of every job in the store
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
    assert files.jobs() == sorted([stray, deleted.id, lost.id, alive.id]), "they may belong to an upload that goes on"
    for id in (stray, deleted.id):
        assert redis.zadd(key("removing"), {id: 1}, xx=True, ch=True) == 1, "its removal is announced"
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


def test_a_job_that_is_being_uploaded_is_unknown_to_every_call(
    records: Records, uploads: Uploads, redis: RedisClient
) -> None:
    new = batch(chunks=2)
    uploads.announce(new.id)
    assert uploads.add_chunks(new.id, 0, [PlanEntry(1, 10, 100)], new)
    assert redis.hget(key("job", new.id), JobField.STATUS) == Status.ARRIVING.encode()
    for act in (records.get, records.retry, records.delete):
        with pytest.raises(UnknownJob):
            act(new.id)
    assert records.page(limit=10) == ([], None)


@pytest.mark.parametrize("is_scored", [False, True])
def test_a_complete_upload_is_queued_or_runs_since_its_first_lease(
    records: Records, uploads: Uploads, leases: Leases, redis: RedisClient, is_scored: bool
) -> None:
    WorkerRegistry(redis).heartbeat("node", 1)
    new = batch(chunks=2)
    uploads.announce(new.id)
    assert uploads.add_chunks(new.id, 0, [PlanEntry(1, 10, 100)], new)
    if is_scored:
        lease_of(leases, new.id, 0)
    started_ms = redis.hget(key("job", new.id), JobField.STARTED_MS)
    records.make(new)
    job = records.get(new.id)
    assert job.status is (Status.RUNNING if is_scored else Status.QUEUED)
    assert job.started_ms == (int(started_ms) if started_ms else None)
    assert is_scored == (started_ms is not None)


def test_chunks_that_are_known_are_not_added_twice_and_others_are_refused(
    redis: RedisClient, records: Records, uploads: Uploads
) -> None:
    """A gateway that takes over a resumable upload cuts its first chunks once more."""
    new = batch(chunks=3)
    plan = [PlanEntry(1 + 10 * number, 10, 100) for number in range(3)]
    uploads.announce(new.id)
    assert uploads.add_chunks(new.id, 0, plan[:2], new)
    for first, count in ((0, 1), (0, 2), (1, 1), (0, 3), (2, 1)):
        assert uploads.add_chunks(new.id, first, plan[first : first + count], new if first == 0 else None)
    assert redis.hget(key("job", new.id), JobField.CHUNKS) == b"3"
    assert records.plan(new.id) == pack_plan(plan)
    with pytest.raises(UploadGone, match="in another way"):
        uploads.add_chunks(new.id, 1, [PlanEntry(11, 9, 90)], None)
    assert not uploads.add_chunks(new.id, 4, plan[:1], None)
