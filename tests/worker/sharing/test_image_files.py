"""The files in which the processes of a worker find the images of models, with real processes."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

import pytest

from worker.sharing.image_files import Image, ImageFiles


class Process:
    """A fork of this process. It runs `work`, sends what that returns, and keeps running until it is killed."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._reading, self._writing = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            self._run(work)
        os.close(self._writing)

    def _run(self, work: Callable[[], Any]) -> NoReturn:
        try:
            kept = work()
            os.write(self._writing, repr(bytes(kept.content) if isinstance(kept, Image) else kept).encode())
            signal.pause()
        finally:
            os._exit(1)

    @property
    def found(self) -> str:
        """What `work` returned. Waits for it."""
        return os.read(self._reading, 1000).decode()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._reading)


@pytest.fixture
def fork() -> Any:
    processes = []

    def start(work: Callable[[], Any]) -> Process:
        processes.append(Process(work))
        return processes[-1]

    yield start
    for process in processes:
        with suppress(ChildProcessError):
            process.kill()


def written(files: ImageFiles, key: str, content: bytes) -> Image | None:
    return files.write(key, lambda file: file.write(content) and None)


def test_an_image_is_found_by_other_processes_which_do_not_see_changes(fork: Any) -> None:
    files = ImageFiles(2)
    process = fork(lambda: written(files, "forest@1", b"tables"))
    assert process.found == "b'tables'"
    image = files.find("forest@1")
    assert image
    image.content[0:1] = b"T"
    assert fork(lambda: files.find("forest@1")).found == "b'tables'"
    assert files.find("forest@2") is None


def test_a_slot_is_not_written_while_a_process_uses_it(fork: Any) -> None:
    files = ImageFiles(1)
    process = fork(lambda: written(files, "a", b"one"))
    assert process.found == "b'one'"
    assert written(files, "b", b"two") is None
    process.kill()  # its locks end with it
    assert files.find("a"), "the image stays until the file is needed"
    assert fork(lambda: written(files, "b", b"two")).found == "b'two'"


def test_memory_is_given_back_when_no_process_uses_the_image() -> None:
    files = ImageFiles(1)
    image = written(files, "a", b"one")
    again = files.find("a")
    assert image
    assert again
    del image
    assert files.find("a")
    del again
    assert files.find("a") is None


def test_an_image_that_cannot_be_written_leaves_the_slot_empty(fork: Any) -> None:
    files = ImageFiles(1)

    def fail(file: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    assert files.write("a", fail) is None
    assert files.find("a") is None
    assert fork(lambda: written(files, "a", b"one")).found == "b'one'"


def test_one_process_at_a_time_makes_the_image_of_a_key(fork: Any) -> None:
    files = ImageFiles(1)

    def make() -> bytes:
        with files.alone("a"):
            return b"alone"

    with files.alone("a"):
        process = fork(make)
        assert fork(lambda: files.alone("b").__enter__()).found == "None"
        os.set_blocking(process._reading, False)
        with pytest.raises(BlockingIOError):
            os.read(process._reading, 1)
    os.set_blocking(process._reading, True)
    assert process.found == "b'alone'"
