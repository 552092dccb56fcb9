"""The gateway's storage: the same methods, and a slow call delays only its own request."""

import shutil
import threading
from pathlib import Path

import gevent
import pytest

from api.threaded_storage import ThreadedStorage, in_thread
from rowcast.errors import Unavailable


def test_a_call_lets_others_go_on_until_it_returns() -> None:
    done = threading.Event()
    call = gevent.spawn(in_thread, done.wait, 30)
    other = gevent.spawn(done.set)
    gevent.joinall([call, other])
    assert call.get() is True


def test_what_is_killed_while_it_waits_ends_after_its_call() -> None:
    begun, let_go, order = threading.Event(), threading.Event(), []

    def call() -> None:
        begun.set()
        let_go.wait(30)
        order.append("call")

    def caller() -> None:
        try:
            in_thread(call)
        finally:
            order.append("caller")

    greenlet = gevent.spawn(caller)
    while not begun.is_set():
        gevent.sleep(0.001)
    greenlet.kill(block=False)
    gevent.sleep(0)
    let_go.set()
    greenlet.join()
    assert order == ["call", "caller"]


def test_every_verb_answers_and_raises_as_without_threads(tmp_path: Path) -> None:
    storage = ThreadedStorage(str(tmp_path / "store"))
    storage.put("a/1", b"one")
    assert storage.create("a/2", b"two")
    assert not storage.create("a/2", b"three")
    assert (storage.get("a/1"), storage.get_range("a/2", 1, 2)) == (b"one", b"wo")
    assert sorted(storage.entries("a")) == [("a/1", 3), ("a/2", 3)]
    assert storage.folders() == ["a"]
    sync = storage.put_early("a/1", b"once")
    assert storage.get("a/1") == b"once"
    sync.wait()
    storage.put("a/1", b"one")
    storage.check()
    storage.delete("a/3")
    assert storage.delete_folder("a") == 2
    with pytest.raises(FileNotFoundError):
        storage.get("a/1")
    (tmp_path / "store" / "file").write_bytes(b"")
    with pytest.raises(Unavailable):
        storage.put("file/below", b"")


def test_an_object_that_is_removed_before_its_sync_needs_none(tmp_path: Path) -> None:
    storage = ThreadedStorage(str(tmp_path / "store"))
    sync = storage.put_early("a/1", b"one")
    shutil.rmtree(tmp_path / "store")
    sync.wait()
