import json
import os
import pty
import subprocess
import sys

import pytest
from programs import ROOT

from rowcast.log_lines.console_text import console_text

HEAD = {"time": "2026-11-25T18:01:15.211728Z", "level": "info", "program": "gateway", "logger": "rowcast.gateway"}


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (
            {"event": "request", "method": "GET", "path": "/jobs", "status": 200, "seconds": 0.0032, "request_id": "x"},
            "gateway  GET /jobs 200 in 3.2 ms",
        ),
        ({"event": "job_accepted", "job": "ID", "rows": 7, "model": "m@1"}, "gateway  job ID accepted: 7 rows"),
        ({"event": "job_accepted"}, "gateway  job accepted"),
        (
            {"event": "round_failed", "reason": "no Redis", "level": "warning"},
            "gateway  warning: round failed: no Redis",
        ),
        ({"event": "rows_predicted", "rows": 3, "seconds": 1.5, "isolated": False}, "rows predicted in 1.5 s rows=3"),
        ({"event": "Connection to broker_x lost", "level": "error"}, "gateway  error: Connection to broker_x lost"),
        ({"event": "internal_error", "level": "error", "exception": "Traceback ..."}, "internal error\nTraceback ..."),
    ],
    ids=lambda value: value["event"] if isinstance(value, dict) else "",
)
def test_a_console_shows_short_sentences(event: dict[str, object], shown: str) -> None:
    assert console_text(HEAD | event, colors=False).endswith(shown)


@pytest.mark.parametrize(("log_format", "as_json"), [("auto", False), ("json", True), ("console", False)])
def test_a_terminal_gets_sentences_unless_json_is_configured(log_format: str, as_json: bool) -> None:
    leader, follower = pty.openpty()
    with os.fdopen(leader, "rb") as terminal:
        log(log_format, follower)
        os.close(follower)
        assert (terminal.read1(4096).startswith(b"{")) == as_json


@pytest.mark.parametrize(("log_format", "as_json"), [("auto", True), ("json", True), ("console", False)])
def test_a_file_or_pipe_gets_json_unless_console_is_configured(log_format: str, as_json: bool) -> None:
    written = log(log_format, subprocess.PIPE)
    if as_json:
        assert json.loads(written)["event"] == "took_place"
    else:
        assert written.endswith(b"p        took place value=1\n")


def log(log_format: str, stderr: int) -> bytes:
    code = (
        "from rowcast.logs import logger, set_up; from rowcast.settings import Settings;"
        f"set_up(Settings.read(log_format={log_format!r}), 'p'); logger('x').info('took_place', value=1)"
    )
    return subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, stderr=stderr).stderr
