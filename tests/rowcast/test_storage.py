"""Storage in a folder."""

from pathlib import Path

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
