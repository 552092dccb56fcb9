"""The records of resumable uploads, and their removal, against a real server."""

from pathlib import Path

import pytest
from record_jobs import batch

from rowcast.errors import QueueFull, UnknownUpload, UploadGone, UploadTaken
from rowcast.jobs.actions.resume_upload import ResumableJobs
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.chunk_tables import PlanEntry
from rowcast.jobs.job_files import Files
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.resumable_uploads import ResumableUploads
from rowcast.jobs.records.schema import UploadField
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.scripts.script_results import Limits
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.request import StoredRequest
from rowcast.jobs.states import UploadState
from rowcast.settings import Settings
from rowcast.storage import Storage
from upkeep.loop import Upkeep

HOUR_MS = 3_600_000


@pytest.fixture
def resumable(redis: RedisClient, settings: Settings) -> ResumableUploads:
    return ResumableUploads(Scripts(redis, settings), settings)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(Storage(str(tmp_path)))


@pytest.fixture
def jobs(
    records: Records, uploads: Uploads, resumable: ResumableUploads, files: Files, settings: Settings
) -> ResumableJobs:
    return ResumableJobs(records, uploads, resumable, files, settings)


def created(resumable: ResumableUploads, owner: str = "") -> str:
    id = new_id()
    request = StoredRequest(
        model="titanic@1",
        options=Options(tags={"run": "1"}),
        owner=owner,
        request_id="r",
        idempotency_key=None,
        filename=None,
        is_gzip=False,
        chunk_bytes=1000,
        chunk_rows=64,
    )
    resumable.create(id, request, None)
    assert resumable.get(id).request == request
    return id


def test_only_the_newest_request_may_append(resumable: ResumableUploads, jobs: ResumableJobs) -> None:
    id = created(resumable)
    old = jobs.hold(id)
    jobs.append(old, 0, b"age,")
    new = jobs.hold(id)
    assert new.upload.offset == 4
    with pytest.raises(UploadTaken):
        jobs.append(old, 4, b"other")
    jobs.append(new, 4, b"pclass\n")
    assert b"".join(jobs.stored(id, 0)) == b"age,pclass\n"
    assert b"".join(jobs.stored(id, 4)) == b"pclass\n"
    with pytest.raises(UploadTaken):
        jobs.append(new, 4, b"twice")
    with pytest.raises(UploadTaken):
        jobs.now(new, 4)


def test_a_repeated_script_changes_nothing(
    redis: RedisClient, settings: Settings, resumable: ResumableUploads, jobs: ResumableJobs
) -> None:
    """The gateway runs a script again if its answer was lost."""
    scripts, id = Scripts(redis, settings), created(resumable)
    hold = jobs.hold(id)
    for _ in range(2):
        assert scripts.append_segment(id, hold.token, 0, 5) == "appended"
        assert scripts.create_upload(id, "", Limits(10, 10), {UploadField.REQUEST: "{}"}) is None
    assert resumable.get(id).offset == 5
    assert redis.hgetall(key("uploads")) == {b"*": b"1", b"": b"1"}
    assert [scripts.close_upload(id, UploadState.DELETED) for _ in range(2)] == [True, False]
    assert scripts.append_segment(id, hold.token, 5, 5) == "gone"
    assert redis.hgetall(key("uploads")) == {b"*": b"0", b"": b"0"}


def removal_of(redis: RedisClient, id: str) -> float:
    """Returns in how many hours an upload is removed."""
    found = dict(redis.zrange(key("removing"), 0, -1, withscores=True))  # type: ignore[call-arg]
    return (found[id.encode()] - redis.time()[0] * 1000) / HOUR_MS


def test_a_silent_upload_is_removed_with_all_that_was_stored(
    redis: RedisClient,
    settings: Settings,
    resumable: ResumableUploads,
    jobs: ResumableJobs,
    uploads: Uploads,
    files: Files,
) -> None:
    id, empty, alive = (created(resumable) for _ in range(3))
    for one in (id, alive):
        jobs.append(jobs.hold(one), 0, b"age,pclass\n25,3\n")
    files.put_input(id, 0, b"25,3\n")
    assert uploads.add_chunks(id, 0, [PlanEntry(1, 1, 5)], batch())
    uploads.touch(id)
    assert [round(removal_of(redis, one)) for one in (id, empty, alive)] == [6, 0, 6]
    upkeep = Upkeep(redis, files, settings)
    upkeep.tick()
    assert set(files.jobs()) == {id, alive}
    for one in (id, empty):
        redis.zadd(key("removing"), {one: 1})
    upkeep.tick()
    assert files.jobs() == [alive]
    assert redis.hgetall(key("uploads")) == {b"*": b"1", b"": b"1"}
    assert not redis.keys(f"*{id}:*")  # type: ignore[attr-defined]
    for one in (id, empty):
        with pytest.raises(UploadGone, match="silent for too long"):
            jobs.find(one, None).require_open()
    assert not uploads.add_chunks(id, 0, [PlanEntry(1, 1, 5)], batch()), "a late gateway adds nothing"


def test_open_uploads_count_as_live_jobs_when_another_is_created(redis: RedisClient, settings: Settings) -> None:
    limited = settings.model_copy(update={"max_jobs": 3, "max_jobs_per_key": 2})
    resumable = ResumableUploads(Scripts(redis, limited), limited)
    created(resumable, "ann")
    ours = created(resumable, "ann")
    with pytest.raises(QueueFull, match="MAX_JOBS_PER_KEY"):
        created(resumable, "ann")
    created(resumable, "bob")
    with pytest.raises(QueueFull, match=r"MAX_JOBS allows"):
        created(resumable, "eve")
    resumable.close(ours, UploadState.DELETED)
    created(resumable, "ann")


def test_uploads_of_other_owners_are_unknown(resumable: ResumableUploads, jobs: ResumableJobs) -> None:
    id = created(resumable, "ann")
    assert jobs.find(id, "ann").owner == jobs.find(id, None).owner == "ann"
    for wrong, owner in ((id, "bob"), (new_id(), "ann"), ("../x", None)):
        with pytest.raises(UnknownUpload):
            jobs.find(wrong, owner)
