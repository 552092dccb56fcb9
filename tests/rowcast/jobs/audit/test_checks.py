"""The audit finds each kind of damage to Redis and to the store."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.audit.collect import Auditor
from rowcast.jobs.chunk_tables import PartEntry, PlanEntry, pack_plan
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.job_files import Files, digest
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.settings import Settings
from rowcast.storage import Storage

MODEL = ModelRef(name="m", version="1")


@dataclass
class Place:
    """A succeeded batch of 2 chunks with 3 rows each, one that runs with one chunk done, and a row that waits."""

    redis: RedisClient
    storage: Storage
    auditor: Auditor
    done: str
    running: str
    row: str

    def findings(self) -> list[str]:
        return [str(finding) for finding in self.auditor.report().findings]


@pytest.fixture
def place(redis: RedisClient, settings: Settings) -> Place:
    storage = Storage(settings.store)
    files, records, leases = (
        Files(storage),
        Records(Scripts(redis, settings), settings),
        Leases(Scripts(redis, settings), "node/1"),
    )

    def batch(chunks_done: int) -> str:
        columns = InputInfo(bytes=6, sha256="ab", filename=None, columns=("x",))
        spec = Spec(kind="batch", model=MODEL, options=Options(), input=columns, header_bytes=2)
        new = NewJob(new_id(), "me", spec, 6, 2, plan=pack_plan([PlanEntry(1, 3, 3), PlanEntry(4, 3, 3)]))
        files.put_header(new.id, b"h\n")
        for chunk in range(2):
            files.put_input(new.id, chunk, b"xxx")
        records.make(new)
        for chunk in range(chunks_done):
            lease = leases.chunk(new.id, chunk)
            assert isinstance(lease, ChunkLease)
            files.put_part_early(new.id, chunk, b"yyyy", b"e")
            leases.commit(lease, PartEntry(digest(b"yyyy"), 3, 1, 4, 1), {})
        return new.id

    row = NewJob(new_id(), "", Spec(kind="single", model=MODEL, options=Options()), 1, 1, values=[1])
    records.make(row)
    return Place(redis, storage, Auditor(redis, files, settings), batch(2), batch(1), row.id)


def test_an_undamaged_service_has_no_findings_and_counts_jobs_and_rows(place: Place) -> None:
    assert place.findings() == []
    table = {name: tuple(count) for name, count in place.auditor.report().table.items()}
    ended = {"succeeded": (1, 6), "failed": (0, 0), "cancelled": (0, 0)}
    assert table == {"accepted": (3, 13), **ended, "queued": (1, 1), "running": (1, 6)}


def test_an_empty_service_has_no_findings(redis: RedisClient, settings: Settings) -> None:
    assert Auditor(redis, Files(Storage(settings.store)), settings).report().findings == ()


def test_deleted_jobs_stay_counted(place: Place, redis: RedisClient, settings: Settings) -> None:
    for id in (place.done, place.running, place.row):
        Records(Scripts(redis, settings), settings).delete(id)
    assert place.findings() == []
    table = place.auditor.report().table
    assert (table["succeeded"].jobs, table["cancelled"].jobs) == (1, 2)


DAMAGES: list[tuple[Callable[[Place], object], str]] = [
    (lambda at: at.redis.hincrby(key("totals"), "jobs_accepted", 1), "4 jobs (13 rows) were accepted, but 3 jobs"),
    (lambda at: at.redis.delete(key("job", at.running)), "3 jobs (13 rows) were accepted, but 2 jobs (7 rows)"),
    (lambda at: at.redis.hincrby(key("live"), "*", 1), "2 unfinished jobs found, but 3 counted as live"),
    (lambda at: at.redis.hincrby(key("live"), "me", 1), "1 unfinished job of me found, but 2 counted"),
    (lambda at: at.redis.hset(key("totals"), "jobs_succeeded", 0), "the status succeeded, but only 0 jobs"),
    (lambda at: at.redis.hincrby(key("job", at.done), JobField.ROWS_DONE, 1), "7 of its 6 rows done"),
    (
        lambda at: at.redis.hincrby(key("job", at.running), JobField.ROWS_DONE, -1),
        "table of parts has 3 rows, but 2 are counted",
    ),
    (lambda at: at.redis.hincrby(key("job", at.running), JobField.ROWS_FAILED, 3), "4 of its 3 done rows are bad"),
    (lambda at: at.redis.delete(key("parts", at.done)), "table of parts has 0 parts, but 2 are counted"),
    (lambda at: at.redis.setrange(key("plan", at.done), 8, b"\x04"), "part 0 has 3 rows, but its chunk has 4"),
    (lambda at: at.redis.append(key("plan", at.done), bytes(16)), "the plan has 3 chunks, but the job has 2"),
    (lambda at: at.redis.zadd(key("due"), {f"{at.done}/1": 1}), "chunk 1 is leased or due, but is not in flight"),
    (lambda at: at.redis.hset(key("leases"), f"{at.done}/1", "1 a/1"), "chunk 1 is leased or due"),
    (lambda at: at.redis.hset(key("in_flight", at.done), 1, "0 0 0"), "it has ended, but chunks [1] are in flight"),
    (lambda at: at.redis.zrem(key("expiring"), at.done), "will never expire"),
    (lambda at: at.redis.zadd(key("webhooks"), {at.done: 1}), "is due, but there is nothing to deliver"),
    (lambda at: at.redis.hset(key("job", at.done), JobField.WEBHOOK, "pending"), "webhook, but no attempt is due"),
    (lambda at: at.redis.delete(key("due")), "chunks [1] are in flight, but not due for upkeep"),
    (lambda at: at.redis.delete(key("in_flight", at.running)), "it has not ended, but no chunk is in flight"),
    (lambda at: at.redis.delete(key("waiting", str(MODEL))), "it has not ended, but is neither leased nor waiting"),
    (lambda at: at.storage.delete(f"jobs/{at.done}/parts/0000001"), "its file parts/0000001 is missing"),
    (lambda at: at.storage.put(f"jobs/{at.done}/parts/0000001", b"yy"), "has 2 bytes, but should have 4"),
    (lambda at: at.storage.delete(f"jobs/{at.done}/errors/0000000"), "its file errors/0000000 is missing"),
    (lambda at: at.storage.delete(f"jobs/{at.running}/input/0000001"), "its file input/0000001 is missing"),
    (lambda at: at.storage.delete_folder(f"jobs/{at.done}"), "its file header is missing"),
    (lambda at: at.storage.put(f"jobs/{new_id()}/header", b"h"), "1 file in the store, but no record that needs them"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGES, ids=[said for _, said in DAMAGES])
def test_each_kind_of_damage_is_reported(place: Place, damage: Callable[[Place], object], said: str) -> None:
    damage(place)
    assert any(said in finding for finding in place.findings()), place.findings()


def test_files_of_a_running_upload_and_of_a_deleted_job_are_not_orphans(
    place: Place, redis: RedisClient, settings: Settings
) -> None:
    uploading = new_id()
    Uploads(Scripts(redis, settings), settings).announce(uploading)
    place.storage.put(f"jobs/{uploading}/input/0000000", b"xxx")
    Records(Scripts(redis, settings), settings).delete(place.done)
    assert place.findings() == []
