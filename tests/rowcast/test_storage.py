"""Storage in a folder."""

import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rowcast.errors import Unavailable
from rowcast.storage import Storage


def test_partial_writes_of_a_killed_process_are_deleted(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "store"))
    for name in ("0", "1"):
        storage.put(f"jobs/a/{name}", b"x")
        (tmp_path / "store" / "jobs" / "a" / f"{name}#1").write_bytes(b"")
    storage.delete_partial_writes("jobs/a/0")
    assert sorted(file.name for file in (tmp_path / "store" / "jobs" / "a").iterdir()) == ["0", "1", "1#1"]
    assert storage.delete_folder("jobs/a") == 2
    assert not (tmp_path / "store" / "jobs" / "a").exists()
    storage.put("jobs/a/0", b"y")
    assert storage.get("jobs/a/0") == b"y"


def test_checks_at_the_same_time_do_not_disturb_each_other_and_leave_nothing(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "store"))
    with ThreadPoolExecutor(8) as threads:
        for _ in threads.map(lambda _: storage.check(), range(400)):
            pass
    assert not list((tmp_path / "store").iterdir())


def test_an_object_is_read_by_its_key_only(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"s")
    storage = Storage(str(tmp_path / "store"))
    for key in ("jobs/a/0", "jobs/ä b%20#~/[x]"):
        storage.put(key, key.encode())
        assert storage.get(key) == key.encode()
    for key in ("jobs/a", "jobs/b/0", "../secret", "jobs/../../secret", str(tmp_path / "secret")):
        with pytest.raises(FileNotFoundError):
            storage.get(key)


def test_a_write_takes_a_name_that_no_other_write_has(tmp_path: Path) -> None:
    storage, folder = Storage(str(tmp_path)), tmp_path / "jobs"
    folder.mkdir()
    (folder / "a#1").write_bytes(b"another write")
    storage.put("jobs/a", b"1")
    assert storage.create("jobs/b", b"1")
    assert not storage.create("jobs/b", b"2")
    storage.put_file("jobs/a", io.BytesIO(b"2" * 20_000_000))
    assert storage.get("jobs/a") == b"2" * 20_000_000
    assert sorted((file.name, file.stat().st_size) for file in folder.iterdir()) == [
        ("a", 20_000_000),
        ("a#1", 13),
        ("b", 1),
    ]
    assert sorted(storage.entries("jobs")) == [("jobs/a", 20_000_000), ("jobs/b", 1)]


def test_a_write_that_fails_leaves_the_old_object_and_nothing_else(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell():
                raise OSError("the source is gone")
            return super().read(size)

    storage = Storage(str(tmp_path))
    storage.put("jobs/a", b"old")
    with pytest.raises(Unavailable, match="the source is gone"):
        storage.put_file("jobs/a", Broken(bytes(20_000_000)))
    for key in ("jobs/a/below", "../a", "jobs//a", "/jobs/b", "jobs/b#1", "jobs"):
        with pytest.raises(Unavailable):
            storage.put(key, b"new")
    assert [str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")] == ["jobs", "jobs/a"]
    assert storage.get("jobs/a") == b"old"


@pytest.mark.parametrize("syncs", [True, False])
def test_folders_that_another_process_removes_are_made_again(syncs: bool, tmp_path: Path) -> None:
    storage = Storage(str(tmp_path / "store"), syncs=syncs)
    for _ in range(2):
        storage.put("jobs/a/0", b"x")
        shutil.rmtree(tmp_path / "store")
    storage.put("jobs/a/0", b"x")
    storage.delete("jobs/a/0")
    storage.delete("jobs/a/0")
    assert storage.folders() == []


def test_of_writers_that_expect_the_same_content_one_succeeds(tmp_path: Path) -> None:
    storage = Storage(str(tmp_path))
    assert storage.swap("a/count", None, b"0")
    for expected, key in ((None, "a/count"), (b"1", "a/count"), (b"0", "a/other"), (b"0", "b/count")):
        assert not storage.swap(key, expected, b"9")

    def count(_: int) -> None:
        while not storage.swap("a/count", (seen := storage.get("a/count")), b"%d" % (int(seen) + 1)):
            pass

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(count, range(80)))
    assert storage.get("a/count") == b"80"
    assert list(storage.entries("")) == [("a/count", 2)]
