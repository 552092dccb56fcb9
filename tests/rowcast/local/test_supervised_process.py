import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import psutil
import pytest
import structlog
from programs import until

from rowcast.local.supervised_process import LONGEST_PAUSE_SECONDS, SupervisedProcess, next_pause_seconds, stop_together
from rowcast.logs import logger

FOR_EVER = "import signal; signal.pause()"


@pytest.fixture(autouse=True)
def unconfigured_logs() -> None:
    """Lets lines be written to what the test captures. A test before this one may have set up logs."""
    structlog.reset_defaults()


@pytest.fixture
def keep() -> Iterator[Callable[[str], SupervisedProcess]]:
    """Keeps Python programs until the test ends."""
    kept: list[SupervisedProcess] = []

    def begin(code: str) -> SupervisedProcess:
        def start() -> "subprocess.Popen[bytes]":
            return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, start_new_session=True)

        process = SupervisedProcess("part", start, logger("test"))
        process.begin()
        kept.append(process)
        return process

    yield begin
    for process in kept:
        process.stop()
        process.kill()
        assert process.ended(30)


def test_a_child_that_dies_is_started_again(keep: Callable[[str], SupervisedProcess]) -> None:
    process = keep(FOR_EVER)
    until(lambda: process.pid, "the child runs")
    first = process.pid
    os.kill(first, signal.SIGKILL)
    until(lambda: process.pid not in (None, first), "a second one runs")
    assert process.endings == ["killed by SIGKILL"]


def test_what_a_dead_child_has_started_goes_with_it(keep: Callable[[str], SupervisedProcess]) -> None:
    process = keep(
        "import subprocess, sys, signal; subprocess.Popen([sys.executable, '-c', 'import signal; signal.pause()']);"
        "signal.pause()"
    )
    until(lambda: process.pid and psutil.Process(process.pid).children(), "the grandchild runs")
    grandchild = psutil.Process(process.pid).children()[0]
    os.kill(process.pid, signal.SIGKILL)
    until(lambda: not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE, "the grandchild is gone")


def test_a_child_that_is_stopped_stays_away(keep: Callable[[str], SupervisedProcess]) -> None:
    process = keep(FOR_EVER)
    until(lambda: process.pid, "the child runs")
    process.stop()
    assert process.ended(30)
    assert process.pid is None
    assert process.endings == []


def test_of_children_that_are_stopped_together_one_that_goes_on_is_killed(
    keep: Callable[[str], SupervisedProcess], capfd: pytest.CaptureFixture[str]
) -> None:
    code = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); signal.pause()"
    stubborn, willing = keep(code), keep(FOR_EVER)
    until(lambda: willing.pid and "ready" in capfd.readouterr().out, "both run")
    stop_together([stubborn, willing], 0.2)
    assert [process.ended(0) for process in (stubborn, willing)] == [True, True]
    assert (stubborn.pid, willing.pid) == (None, None)
    assert capfd.readouterr().out.count("process_killed") == 1


def test_a_word_into_its_pipe_ends_a_child_too(keep: Callable[[str], SupervisedProcess]) -> None:
    process = keep("import sys; sys.exit(sys.stdin.read() != 'done')")
    until(lambda: process.pid, "the child runs")
    process.stop(b"done")
    assert process.ended(30)


def test_a_program_that_cannot_be_started_counts_as_one_that_died() -> None:
    def start() -> "subprocess.Popen[bytes]":
        raise FileNotFoundError(2, "No such file or directory")

    process = SupervisedProcess("part", start, logger("test"))
    process.begin()
    until(lambda: process.endings, "it was tried")
    process.stop()
    assert process.ended(30)
    assert process.endings[0] == "No such file or directory"


def test_pauses_grow_to_a_limit_and_restart_after_a_long_run() -> None:
    pauses = [0.0]
    for _ in range(10):
        pauses.append(next_pause_seconds(pauses[-1], lived_seconds=0.1))
    assert pauses[1] < pauses[2] < pauses[3]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS
    assert next_pause_seconds(LONGEST_PAUSE_SECONDS, lived_seconds=60) == 0


def test_a_process_stopped_before_its_start_is_not_started() -> None:
    started = threading.Event()

    def start() -> "subprocess.Popen[bytes]":
        started.set()
        raise AssertionError

    process = SupervisedProcess("part", start, logger("test"))
    process.stop()
    process.begin()
    assert process.ended(30)
    assert not started.is_set()
