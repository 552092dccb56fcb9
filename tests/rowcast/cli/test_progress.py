"""What a terminal shows, on a real pseudo-terminal."""

import os
import pty
import subprocess
import sys
from pathlib import Path

from fake_service import FakeService
from programs import ROOT


def test_a_narrow_terminal_cuts_no_id(service: FakeService) -> None:
    ids = [service.job()["id"] for _ in range(2)]
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "rowcast.cli", "jobs"]
    environment = os.environ | {"TERM": "xterm-256color", "COLUMNS": "30"}
    subprocess.run(command, check=True, cwd=ROOT, env=environment, stdout=follower)
    os.close(follower)
    with os.fdopen(leader, "rb") as terminal:
        shown = terminal.read1(65536).decode()
    for id in ids:
        assert f"\n{id} queued titanic@1 40,000" in shown


def test_a_terminal_sees_bars_and_the_result_stays_clean(service: FakeService, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(b"age,pclass\n25,3\n")
    leader, follower = pty.openpty()
    with (tmp_path / "out.csv").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "rowcast.cli", "predict", tmp_path / "in.csv"],
            stdout=out,
            stderr=follower,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env=os.environ | {"TERM": "xterm-256color", "COLUMNS": "120"},
        )
    os.close(follower)
    shown = b""
    try:
        while block := os.read(leader, 65536):
            shown += block
    except OSError:  # Linux' word for the other end being closed
        pass
    os.close(leader)
    assert process.wait() == 0
    assert (tmp_path / "out.csv").read_bytes() == service.result
    assert b"Uploading" in shown
    assert b"40,000 of 40,000 rows" in shown
    assert b"Downloading" in shown
