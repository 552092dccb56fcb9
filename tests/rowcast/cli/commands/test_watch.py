import os
import pty
import re
import signal
import sys
from pathlib import Path

import pytest
from fake_service import FakeService
from programs import until

ID_LENGTH = 36


@pytest.fixture
def job(rowcast, service: FakeService, tmp_path: Path) -> str:
    (tmp_path / "in.csv").write_text("age,pclass\n25,3\n")
    return rowcast("submit", tmp_path / "in.csv").stdout.decode().strip()


def test_a_job_is_followed_to_its_end(rowcast, service: FakeService, job: str) -> None:
    done = rowcast("watch", job)
    assert done.returncode == 0
    assert f"Job {job} is succeeded: 40,000 of 40,000 rows done" in done.stderr.decode()


def test_a_job_that_fails_is_exit_code_1(rowcast, service: FakeService, job: str) -> None:
    service.statuses = ["queued", "failed"]
    service.error = {"detail": "row 3: not a number"}
    done = rowcast("watch", job)
    assert done.returncode == 1
    assert b"row 3: not a number" in done.stderr


def test_all_jobs_are_listed_at_each_change_until_ctrl_c(program, service: FakeService, job: str) -> None:
    process = program("watch")
    lines = [process.stdout.readline().decode().split("\t") for _ in range(1)]
    assert lines[0][:3] == [job, "queued", "titanic@1"]
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert b"Traceback" not in err


def test_all_jobs_end_as_soon_as_the_reader_is_gone(program, service: FakeService, job: str) -> None:
    process = program("watch")
    process.stdout.readline()
    process.stdout.close()  # no job changes any more, so nothing is written
    assert (process.wait(timeout=60), process.stderr.read()) == (141, b"")


@pytest.mark.parametrize("columns", [120, 20])
def test_on_a_terminal_it_draws_all_of_each_job(service: FakeService, job: str, columns: int) -> None:
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(sys.executable, [sys.executable, "-m", "rowcast.cli", "watch"], environment)
    shown = b""

    def is_drawn() -> bool:
        nonlocal shown
        shown += os.read(terminal, 65_536)
        return job.encode() in re.sub(rb"\s", b"", shown) and b"titanic@1" in shown and b"40,000" in shown

    until(is_drawn, "the table is drawn")
    os.kill(pid, signal.SIGINT)
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130


def test_open_prints_the_address_and_calls_the_browser(
    rowcast, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    called = tmp_path / "called"
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\necho $1 > {called}\n")
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(browser))
    done = rowcast("open")
    assert done.stdout.decode() == f"{service.url}/\n"
    until(lambda: called.exists() and called.read_text(), "the browser is called")
    assert called.read_text() == f"{service.url}/\n"


def test_open_says_that_no_service_is_there(rowcast) -> None:
    assert rowcast("open", "--url", "http://127.0.0.1:1").returncode == 3
