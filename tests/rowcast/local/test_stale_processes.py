import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from programs import ROOT, until

from rowcast.local.stale_processes import VARIABLE, Mark, end_stale_processes

OBEYS = "import signal, sys; print('up', flush=True); signal.pause()"
DEFIES = "import signal; signal.signal(15, signal.SIG_IGN); print('up', flush=True); [signal.pause() for _ in range(9)]"

Begin = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Starts marked programs, and waits until each has begun."""
    begun: list[subprocess.Popen[bytes]] = []

    def start(mark: Mark, code: str = OBEYS) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", code],
            env=os.environ | {VARIABLE: str(mark)},
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        begun.append(process)
        process.stdout.readline()
        return process

    yield start
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()


def test_all_of_a_folders_processes_are_ended_and_no_others(begin: Begin, tmp_path: Path) -> None:
    data, other = tmp_path / "a folder", tmp_path / "other"
    mine = [begin(Mark("run1", "worker", data)), begin(Mark("run2", "redis", data))]
    theirs = begin(Mark("run1", "worker", other))
    assert end_stale_processes(data) == 2
    assert [process.wait() for process in mine] == [-signal.SIGTERM, -signal.SIGTERM]
    assert theirs.poll() is None


def test_one_run_can_be_ended_alone(begin: Begin, tmp_path: Path) -> None:
    old, new = begin(Mark("old", "worker", tmp_path)), begin(Mark("new", "worker", tmp_path))
    assert end_stale_processes(tmp_path, "old") == 1
    assert old.wait() == -signal.SIGTERM
    assert new.poll() is None


def test_what_does_not_listen_is_killed(begin: Begin, tmp_path: Path) -> None:
    process = begin(Mark("run", "worker", tmp_path), DEFIES)
    end_stale_processes(tmp_path, grace_seconds=0.1)
    assert process.wait() == -signal.SIGKILL


def test_orphans_are_found_by_the_mark_that_they_inherit(begin: Begin, tmp_path: Path) -> None:
    parent = begin(
        Mark("run", "worker", tmp_path),
        f"import signal, subprocess, sys; subprocess.Popen([sys.executable, '-c', {OBEYS!r}]); signal.pause()",
    )
    orphan = psutil.Process(parent.pid).children()[0]
    parent.kill()
    parent.wait()
    assert end_stale_processes(tmp_path, grace_seconds=0.1) == 1
    until(lambda: not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE, "the orphan is gone")


def test_the_reaper_ends_its_run_when_the_supervisor_is_gone(begin: Begin, tmp_path: Path) -> None:
    mine, new = begin(Mark("run", "gateway", tmp_path)), begin(Mark("next", "gateway", tmp_path))
    reaper = _reaper(tmp_path)
    reaper.communicate()
    assert mine.wait() == -signal.SIGTERM
    assert new.poll() is None


def test_a_reaper_that_is_dismissed_ends_nothing(begin: Begin, tmp_path: Path) -> None:
    process = begin(Mark("run", "gateway", tmp_path))
    reaper = _reaper(tmp_path)
    reaper.communicate(b"done")
    assert reaper.returncode == 0
    assert process.poll() is None


def _reaper(data: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "rowcast.local.reaper", "run", str(data)], stdin=subprocess.PIPE, cwd=ROOT
    )
