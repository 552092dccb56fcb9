"""The uploads that a gateway has at hand, against a real Redis and a real store."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from resumable import CSV

from api.input.open_uploads import MAX_IDLE, OpenUploads
from rowcast.errors import InputLost, StoreUnavailable, UploadGone, UploadTaken
from rowcast.jobs.actions.resume_upload import ResumableJobs
from rowcast.jobs.job_files import Files
from rowcast.jobs.options import Options
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.resumable_uploads import ResumableUploads
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.uploads import Uploads
from rowcast.jobs.request import Request
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage, Sync


class FailingStorage(Storage):
    """A store of which some objects cannot be written."""

    fails: Callable[[str], bool] = staticmethod(lambda key: False)

    def put(self, key: str, data: bytes | bytearray | memoryview) -> None:
        self._fail(key)
        super().put(key, data)

    def put_early(self, key: str, data: bytes) -> Sync:
        self._fail(key)
        return super().put_early(key, data)

    def _fail(self, key: str) -> None:
        if self.fails(key):
            raise StoreUnavailable("The disk is full.")


class Gateway:
    """What a gateway has for resumable uploads."""

    def __init__(self, redis: RedisClient, settings: Settings, registry: Registry) -> None:
        scripts = Scripts(redis, settings)
        self.storage = FailingStorage(settings.store)
        self.files, self._registry = Files(self.storage), registry
        self.jobs = ResumableJobs(
            Records(scripts, settings),
            Uploads(scripts, settings),
            ResumableUploads(scripts, settings),
            self.files,
            settings,
        )
        self.uploads = OpenUploads(self.jobs, registry.resolve, settings)

    def create(self) -> str:
        request = Request(self._registry.resolve("titanic"), Options())
        return self.jobs.create(request, is_gzip=False, length=None)

    def append(self, id: str, *blocks: bytes) -> int:
        with self.uploads.turn(id) as turn:
            return self.uploads.append(turn, self.jobs.hold(id), iter(blocks))

    def complete(self, id: str) -> int:
        """Returns the number of chunks."""
        with self.uploads.turn(id) as turn:
            return self.uploads.complete(turn, self.jobs.hold(id)).new.chunks


@pytest.fixture
def gateway_of(redis: RedisClient, settings: Settings, trained: Path) -> Callable[..., Gateway]:
    """Makes gateways that share a Redis and a store; `changes` are those of the settings."""
    registry = Registry(Storage(str(trained)))
    return lambda **changes: Gateway(redis, settings.model_copy(update={"chunk_rows": 128} | changes), registry)


def test_uploads_that_are_not_at_hand_any_more_go_on(gateway_of: Callable[..., Gateway]) -> None:
    gateway = gateway_of()
    half = len(CSV) // 2
    ids = [gateway.create() for _ in range(MAX_IDLE + 3)]
    for id in ids:
        assert gateway.append(id, CSV[:half]) == half
    for id in (ids[0], ids[-1]):
        assert gateway.append(id, CSV[half:]) == len(CSV)
        assert gateway.complete(id) == 24
        assert b"".join(gateway.files.get_input(id, chunk) for chunk in range(24)) == CSV.partition(b"\r\n")[2]


def test_a_gateway_with_other_chunk_sizes_cuts_the_same_chunks(gateway_of: Callable[..., Gateway]) -> None:
    first, second = gateway_of(), gateway_of(chunk_rows=64)
    id = first.create()
    first.append(id, CSV[:100_000])
    assert second.append(id, CSV[100_000:]) == len(CSV)
    assert second.complete(id) == 24


@pytest.mark.parametrize("folder", ["upload", "input"])
def test_a_store_that_fails_for_a_while_costs_only_what_was_not_counted(
    gateway_of: Callable[..., Gateway], folder: str
) -> None:
    gateway, begun = gateway_of(), 10_000
    id = gateway.create()
    gateway.append(id, CSV[:begun])
    gateway.storage.fails = lambda key: f"/{folder}/" in key
    with pytest.raises(StoreUnavailable):
        gateway.append(id, CSV[begun:])
    gateway.storage.fails = lambda key: False
    stored = gateway.jobs.find(id, None).offset
    assert stored == (begun if folder == "upload" else len(CSV))
    assert gateway.append(id, CSV[stored:]) == len(CSV)
    assert gateway.complete(id) == 24


def test_a_segment_that_the_store_has_lost_ends_the_upload(
    gateway_of: Callable[..., Gateway], settings: Settings
) -> None:
    first, second = gateway_of(), gateway_of()
    id = first.create()
    first.append(id, CSV[:10_000])
    for segment in (Path(settings.store) / "jobs" / id / "upload").iterdir():
        segment.unlink()
    with suppress(InputLost):  # the second one may have read them by then
        second.append(id, CSV[10_000:])
    with pytest.raises((InputLost, UploadGone), match="bytes from 0 on"):
        second.complete(id)
    with pytest.raises(UploadGone, match="has lost the bytes"):
        second.jobs.find(id, None).require_open()


def test_a_request_that_another_gateway_has_ended_stores_nothing_more(gateway_of: Callable[..., Gateway]) -> None:
    first, second = gateway_of(), gateway_of()
    id = first.create()
    with first.uploads.turn(id) as turn:
        hold = first.jobs.hold(id)
        second.append(id, CSV[:100])
        with pytest.raises(UploadTaken):
            first.uploads.append(turn, hold, iter([CSV[:50]]))
    assert second.append(id, CSV[100:]) == len(CSV)
    assert second.complete(id) == 24


def test_a_file_that_was_taken_for_whole_may_still_grow(gateway_of: Callable[..., Gateway]) -> None:
    """For example if the queue was full, and the sender goes on instead of waiting."""
    gateway = gateway_of(max_jobs=1)
    id = gateway.create()
    gateway.append(id, CSV[:50_000].rpartition(b'"\r\n')[0] + b'"\r\n')
    with gateway.uploads.turn(id) as turn:
        cutter = gateway.uploads._cutter(gateway.jobs.hold(id))
        assert cutter.finish(turn).rows > 100
    offset = gateway.jobs.find(id, None).offset
    assert gateway.append(id, CSV[offset:]) == len(CSV)
    assert gateway.complete(id) == 24
