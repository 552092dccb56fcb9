import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest
from programs import until

from rowcast.local.supervised_process import LONGEST_PAUSE_SECONDS, Keeper, how, next_pause_seconds
from rowcast.logs import logger

FOR_EVER = "import signal; signal.pause()"


@pytest.fixture
def keep() -> Iterator[Callable[[str], Keeper]]:
    """Keeps Python programs until the test ends."""
    kept: list[Keeper] = []

    def begin(code: str) -> Keeper:
        def start() -> "subprocess.Popen[bytes]":
            return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True)

        keeper = Keeper("part", start, logger("test"))
        keeper.begin()
        kept.append(keeper)
        return keeper

    yield begin
    for keeper in kept:
        keeper.stop()
        keeper.kill()
        assert keeper.ended(30)


def test_a_child_that_dies_is_started_again(keep: Callable[[str], Keeper]) -> None:
    keeper = keep(FOR_EVER)
    until(lambda: keeper.pid, "the child runs")
    first = keeper.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: keeper.pid not in (None, first), "a second one runs")
    assert keeper.endings == ["killed by SIGKILL"]


def test_what_a_dead_child_has_started_goes_with_it(keep: Callable[[str], Keeper]) -> None:
    keeper = keep(
        "import subprocess, sys, signal; subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
        "signal.pause()"
    )
    until(lambda: keeper.pid and psutil.Process(keeper.pid).children(), "the grandchild runs")
    grandchild = psutil.Process(keeper.pid).children()[0]
    os.kill(keeper.pid, signal.SIGKILL)
    until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE, "the grandchild is gone")


def test_a_child_that_is_stopped_stays_away(keep: Callable[[str], Keeper]) -> None:
    keeper = keep(FOR_EVER)
    until(lambda: keeper.pid, "the child runs")
    keeper.stop()
    assert keeper.ended(30)
    assert keeper.pid is None
    assert keeper.endings == []


def test_a_word_into_its_pipe_ends_a_child_too(keep: Callable[[str], Keeper]) -> None:
    keeper = keep("import sys; sys.exit(sys.stdin.read() != 'done')")
    until(lambda: keeper.pid, "the child runs")
    keeper.stop(b"done")
    assert keeper.ended(30)


def test_a_program_that_cannot_be_started_counts_as_one_that_died() -> None:
    def start() -> "subprocess.Popen[bytes]":
        raise FileNotFoundError(2, "No such file or directory")

    keeper = Keeper("part", start, logger("test"))
    keeper.begin()
    until(lambda: keeper.endings, "it was tried")
    keeper.stop()
    assert keeper.ended(30)
    assert keeper.endings[0] == "No such file or directory"


def test_pauses_grow_to_a_limit_and_begin_anew_after_a_good_life() -> None:
    pauses = [0.0]
    for _ in range(10):
        pauses.append(next_pause_seconds(pauses[-1], lived_seconds=0.1))
    assert pauses[1] < pauses[2] < pauses[3]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert next_pause_seconds(LONGEST_PAUSE_SECONDS, lived_seconds=60) == 0


def test_endings_are_told_in_words() -> None:
    assert how(3) == "exit code 3"
    assert how(-9) == "killed by SIGKILL"
    assert how(-63) == "killed by signal 63"


def test_a_keeper_stopped_before_it_began_starts_nothing() -> None:
    started = threading.Event()

    def start() -> "subprocess.Popen[bytes]":
        started.set()
        raise AssertionError

    keeper = Keeper("part", start, logger("test"))
    keeper.stop()
    keeper.begin()
    assert keeper.ended(30)
    assert not started.is_set()
