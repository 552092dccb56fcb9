"""The front door to jobs: what it finds, and the order in which it removes."""

from collections.abc import Callable

import pytest

from rowcast.errors import JobDeleted, JobExpired, Restoring, StoreUnavailable, UnknownJob
from rowcast.jobs import job_manifest
from rowcast.jobs.actions.jobs import Jobs
from rowcast.jobs.actions.submit import is_job_id, new_id
from rowcast.jobs.chunk_tables import PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.job_files import Files
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.states import Status
from rowcast.settings import Settings
from rowcast.storage import Storage

ID = "01928c5e-7d3a-7c41-9b1e-0a4f5d2c6b7e"


@pytest.fixture
def files(settings: Settings) -> Files:
    return Files(Storage(settings.store))


@pytest.fixture
def jobs(records: Records, uploads: Uploads, files: Files, settings: Settings) -> Jobs:
    return Jobs(records, uploads, files, settings)


@pytest.fixture
def stored(records: Records, uploads: Uploads, files: Files) -> NewJob:
    """A batch of alice's, with its record, its manifest and a chunk of its input."""
    columns = InputInfo(bytes=100, sha256="ab", filename="in.csv", columns=("age", "pclass"))
    spec = Spec(kind="batch", model=ModelRef(name="titanic", version="1"), options=Options(), input=columns)
    new = NewJob(new_id(), "alice", spec, 10, 1, plan=pack_plan([PlanEntry(1, 10, 100)]))
    uploads.announce(new.id, "alice")
    files.put_input(new.id, 0, b"25,3\n")
    files.put_manifest(new.id, job_manifest.write(new))
    records.make(new)
    return new


def test_a_job_is_found_by_its_owner_and_by_an_admin_only(jobs: Jobs, stored: NewJob) -> None:
    assert jobs.get(stored.id, "alice").id == jobs.get(stored.id).id == stored.id
    for act in (jobs.get, jobs.cancel, jobs.retry, jobs.delete):
        with pytest.raises(UnknownJob):
            act(stored.id, "bob")
    assert jobs.get(stored.id).status is Status.QUEUED


@pytest.mark.parametrize("id", ["", "x" * 300, "../etc/passwd", ID.upper(), f"{ID}\n"])
def test_a_text_that_is_not_an_id_is_named_and_never_looked_up(jobs: Jobs, id: str) -> None:
    assert not is_job_id(id)
    with pytest.raises(UnknownJob, match="is not a valid job id"):
        jobs.get(id)


def test_a_job_whose_record_is_lost_is_being_restored(jobs: Jobs, stored: NewJob, redis: RedisClient) -> None:
    redis.flushdb()
    with pytest.raises(Restoring):
        jobs.get(stored.id, "alice")
    with pytest.raises(UnknownJob):
        jobs.get(stored.id, "bob")
    with pytest.raises(Restoring):
        jobs.delete(stored.id, "alice")


def test_a_deleted_job_leaves_no_file_and_does_not_come_back(jobs: Jobs, files: Files, stored: NewJob) -> None:
    assert jobs.delete(stored.id, "alice") == 1
    assert files.sizes(stored.id) == {}
    with pytest.raises(JobDeleted):
        jobs.get(stored.id)


def test_a_withdrawn_upload_leaves_nothing(jobs: Jobs, uploads: Uploads, files: Files) -> None:
    id = new_id()
    uploads.announce(id)
    files.put_input(id, 0, b"25,3\n")
    jobs.withdraw(id)
    assert files.sizes(id) == {}
    with pytest.raises(UnknownJob):
        jobs.get(id)


def test_an_expired_job_cannot_be_retried(jobs: Jobs, stored: NewJob, redis: RedisClient) -> None:
    jobs.cancel(stored.id)
    redis.hset(key("job", stored.id), JobField.STATUS, Status.EXPIRED)
    with pytest.raises(JobExpired, match="Send the rows again"):
        jobs.retry(stored.id)


@pytest.mark.parametrize("remove", [Jobs.delete, Jobs.withdraw])
def test_no_record_is_removed_while_the_manifest_stays(
    remove: Callable[[Jobs, str], object], records: Records, uploads: Uploads, settings: Settings, stored: NewJob
) -> None:
    class Broken(Files):
        """A store that cannot delete."""

        def delete_manifest(self, id: str) -> None:
            raise StoreUnavailable("The store is read-only.")

    jobs = Jobs(records, uploads, Broken(Storage(settings.store)), settings)
    with pytest.raises(StoreUnavailable):
        remove(jobs, stored.id)
    assert records.get(stored.id).status is Status.QUEUED
