"""Storage in a folder."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

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
