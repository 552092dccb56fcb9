"""Files of requests: nothing of an upload that breaks off is left, and old files that no batch needs are swept."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rowcast.errors import BodyCutShort, EmptyFile, FilesFull, UnknownFile
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.job import InputInfo, ModelRef, Spec
from rowcast.jobs.job_files import SOURCE_PIECE_BYTES
from rowcast.jobs.new_job import NewJob
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.request_files.batch_request import BatchRequest
from rowcast.jobs.request_files.request_file import StoredRequests
from rowcast.jobs.request_files.request_files import RequestFiles
from rowcast.settings import Settings
from rowcast.storage import Storage

DAY = 86_400


@pytest.fixture
def make(redis: RedisClient, settings: Settings, tmp_path: Path) -> Callable[..., RequestFiles]:
    """Makes the files of one store, with limits."""

    def made(**limits: int) -> RequestFiles:
        stored = StoredRequests(Storage(str(tmp_path), syncs=False))
        return RequestFiles(stored, Scripts(redis, settings), settings.model_copy(update={"retention": DAY, **limits}))

    return made


@pytest.fixture
def files(make: Callable[..., RequestFiles]) -> RequestFiles:
    return make()


def test_a_file_of_several_pieces_comes_back_as_it_was_sent(files: RequestFiles) -> None:
    sent = [b"a" * SOURCE_PIECE_BYTES, b"b" * 100_000]
    file = files.receive("alice", "rows.jsonl", sent)
    assert files.get(file.id, "alice") == files.get(file.id) == file
    assert b"".join(files.blocks(file)) == b"".join(sent)
    files.delete(file.id)
    with pytest.raises(UnknownFile):
        next(files.blocks(file))


def test_an_upload_that_breaks_off_leaves_nothing_behind(files: RequestFiles, tmp_path: Path) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * (SOURCE_PIECE_BYTES + 1)
        raise BodyCutShort("The body broke off.")

    for blocks, error in ((broken(), BodyCutShort), (iter(()), EmptyFile)):
        with pytest.raises(error):
            files.receive("", "rows.jsonl", blocks)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_files_belong_to_their_owner_and_are_listed_in_pages(files: RequestFiles) -> None:
    mine = [files.receive("alice", f"{number}", [b"x"]) for number in range(3)]
    other = files.receive("bob", "b", [b"x"])
    assert files.page(2, None, "alice", newest_first=True) == ([mine[2], mine[1]], True)
    assert files.page(2, mine[1].id, "alice", newest_first=True) == ([mine[0]], False)
    assert files.page(9, mine[0].id, None, newest_first=False) == ([*mine[1:], other], False)
    for id in (other.id, mine[0].id.replace("file-0", "file-1"), "file-../x", mine[0].id + "/0000000"):
        with pytest.raises(UnknownFile):
            files.get(id, "alice")


def test_a_file_whose_time_is_over_is_unknown_and_then_swept(files: RequestFiles, tmp_path: Path) -> None:
    kept = files.receive("alice", "new", [b"x"])
    over = [_sent_before(files, tmp_path, seconds) for seconds in (DAY + 60, DAY + 2 * 3600)]
    for id in over:
        with pytest.raises(UnknownFile):
            files.get(id)
    assert files.page(9, None, None, newest_first=True) == ([kept], False)
    assert files.sweep() == over[1:]
    assert not (tmp_path / "files" / over[1]).exists()
    assert (tmp_path / "files" / over[0]).exists()


def test_a_file_outlives_its_time_as_long_as_a_batch_needs_it(
    files: RequestFiles, records: Records, redis: RedisClient, tmp_path: Path
) -> None:
    file = _sent_before(files, tmp_path, seconds=2 * DAY)
    first, second = (_batch_of(file) for _ in range(2))
    redis.sadd(key("file_batches", file), f"00{new_id()[2:]}")  # it was refused long ago
    with pytest.raises(UnknownFile):
        files.get(file, "alice")
    for new in (first, second):
        records.make(new)
    assert (files.sweep(), files.get(file, "alice").id, files.expiry_ms([file])) == ([], file, {file: None})
    assert files.page(9, None, "alice", newest_first=True) == ([files.get(file)], False)
    records.cancel(first.id)
    records.delete(second.id)
    assert (files.sweep(), files.expiry_ms([file])) == ([], {file: records.get(first.id).expires_ms})
    records._scripts.expire(first.id)
    assert (files.sweep(), redis.exists(key("file_batches", file))) == ([file], 0)


def test_a_rebuilt_batch_keeps_its_file(files: RequestFiles, records: Records, tmp_path: Path) -> None:
    file = _sent_before(files, tmp_path, seconds=2 * DAY)
    records.rebuild(_batch_of(file))  # Redis knew nothing of it
    assert files.sweep() == []


def test_an_owner_has_so_many_files_and_bytes(make: Callable[..., RequestFiles], tmp_path: Path) -> None:
    files = make(max_files_per_key=2, max_file_bytes_per_key=100)
    first = files.receive("alice", "a", [b"x" * 60])
    with pytest.raises(FilesFull, match=r"This API key has 100 bytes in files.*ROWCAST_MAX_FILE_BYTES_PER_KEY"):
        files.receive("alice", "b", [b"x" * 40, b"x"])
    second = files.receive("alice", "b", [b"x" * 40])
    files.receive("", "c", [b"x" * 100])
    with pytest.raises(FilesFull, match=r"This API key has 2 files.*ROWCAST_MAX_FILES_PER_KEY.*DELETE /v1/files/ID"):
        files.receive("alice", "c", iter(()))
    files.delete(first.id)

    def blocks() -> Iterator[bytes]:
        files.receive("alice", "d", [b"x"])
        yield b"x"

    with pytest.raises(FilesFull):  # another one has arrived meanwhile
        files.receive("alice", "e", blocks())
    found, _ = files.page(9, None, "alice", newest_first=False)
    assert ([one.filename for one in found], found[0]) == (["b", "d"], second)
    assert len(list((tmp_path / "files").iterdir())) == 3


def test_files_that_redis_lacks_are_listed_again(files: RequestFiles, redis: RedisClient) -> None:
    kept, gone = (files.receive("alice", name, [b"x"]) for name in "ab")
    redis.flushall()
    assert (files.get(kept.id), files.page(9, None, "alice", newest_first=True)) == (kept, ([], False))
    assert (files.list_again(), files.list_again()) == (2, 0)
    files._stored.delete(gone.id)  # as if the gateway had died before it wrote to Redis
    assert files.list_again() == 0
    assert files.page(9, None, "alice", newest_first=True) == ([kept], False)
    assert redis.hgetall(key("owned_files", "alice")) == {kept.id.encode(): b"1"}


def _batch_of(file: str) -> NewJob:
    asked = BatchRequest(file_id=file, endpoint="/predict", completion_window="24h")
    input = InputInfo(bytes=1, sha256="ab", filename="old", columns=(), format="jsonl")
    model = ModelRef(name="titanic", version="1")
    spec = Spec(kind="batch", model=model, options=Options(), input=input, requests=asked)
    return NewJob(new_id(), "alice", spec, 0, 0, plan=b"", is_converting=True)


def _sent_before(files: RequestFiles, folder: Path, seconds: int) -> str:
    """Returns the id of a file as if it had been sent some seconds ago."""
    file = files.receive("alice", "old", [b"x"])
    digits = f"{int(time.time() - seconds) * 1000:012x}"  # a UUIDv7 begins with the milliseconds
    id = f"file-{digits[:8]}-{digits[8:]}{file.id[18:]}"
    (folder / "files" / file.id).rename(folder / "files" / id)
    about = folder / "files" / id / "file.json"
    about.write_text(about.read_text().replace(file.id, id))
    files.list_again()
    return id
