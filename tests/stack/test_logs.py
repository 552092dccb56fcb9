"""Everything about a job is found by its ids: `rowcast logs` shows it in order, from the programs and the service."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from programs import ROOT, Stack, http_client, until

from rowcast.local.running_services import Instance, publish_instance

TRACE = "0af7651916cd43dd8448eb211c80319c"
ROWS = b"age\n" + b"40\n" * 128
"""Two chunks of a misbehaving stack."""


@pytest.fixture(scope="module")
def logged(unstarted_stack: Stack) -> Stack:
    """A misbehaving stack whose programs keep their log lines; its worker has one process."""
    stack = unstarted_stack
    stack.environment["ROWCAST_LOG_FOLDER"] = str(stack.folder / "logs")
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker(concurrency=1)
    return stack


@pytest.fixture
def http(logged: Stack) -> Iterator[httpx.Client]:
    with http_client(logged.url, timeout=90) as client:
        yield client


@pytest.fixture
def published(logged: Stack) -> Iterator[None]:
    """Lets commands find the stack as a service of `rowcast up`."""
    folder = logged.folder
    known = {"models": str(logged.models), "store": str(logged.store), "api_keys_file": None, "pid": 1}
    with publish_instance(
        Instance(url=logged.url, data=str(folder), redis_url=logged.redis_url, logs=str(folder / "logs"), **known)
    ):
        yield


def rowcast(*words: str, code: int = 0) -> str:
    command = [sys.executable, "-m", "rowcast.cli", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == code, done.stderr
    return done.stdout


def submit(http: httpx.Client, model: str) -> str:
    headers = {"Content-Type": "text/csv", "traceparent": f"00-{TRACE}-{'1' * 16}-01"}
    return http.post(f"/predict?model={model}", content=ROWS, headers=headers).json()["id"]


@pytest.mark.usefixtures("published")
def test_the_lines_of_all_programs_about_a_job_come_in_order(http: httpx.Client, logged: Stack) -> None:
    (logged.folder / "die").touch()
    id = submit(http, "dying")
    followed = rowcast("logs", id[:23], "--follow", "--data", str(logged.folder))
    printed = rowcast("logs", id[:23], "--json", "--data", str(logged.folder))
    assert "job      The job succeeded.\n" in followed
    assert http.get(f"/jobs/{id}").json()["status"] == "succeeded"
    lines = [json.loads(line) for line in printed.splitlines()]
    times = [datetime.fromisoformat(line["time"]) for line in lines]
    assert times == sorted(times)
    assert {line["program"] for line in lines} >= {"gateway", "worker", "job"}
    assert {line["trace_id"] for line in lines} == {TRACE}
    assert {line["job"] for line in lines} == {id}
    events = [line["event"] for line in lines]
    for earlier, later in [
        ("arriving", "started"),
        ("started", "worker_lost"),
        ("worker_lost", "tried_again"),
        ("tried_again", "succeeded"),
        ("chunk_scored", "succeeded"),
    ]:
        assert events.index(earlier) < events.index(later), events
    scored = [(line["chunk"], line["attempt"]) for line in lines if line["event"] == "chunk_scored"]
    second = [line["event"] == "chunk_scored" and line["attempt"] == 2 for line in lines].index(True)
    assert events.index("tried_again") < second
    assert sorted(scored) in ([(0, 1), (1, 2)], [(0, 2), (1, 1)])
    assert "leases_released" in events or "processes_lost" in events
    assert "request" in events


@pytest.mark.usefixtures("published")
def test_people_get_sentences_and_of_a_service_elsewhere_its_own_record(http: httpx.Client, logged: Stack) -> None:
    id = submit(http, "fixed")
    assert http.get(f"/jobs/{id}?wait=60").json()["status"] == "succeeded"
    kept = logged.folder / "logs" / "worker.jsonl"
    until(lambda: sum(id in line and "chunk_scored" in line for line in kept.read_text().splitlines()) == 2, "kept")
    here = rowcast("logs", id, "--url", logged.url.replace("127.0.0.1", "localhost") + "/")
    assert f"worker   job {id} chunk 1: 64 rows" in here
    (logged.folder / "service.json").unlink()
    remote = rowcast("logs", id, "--url", logged.url)
    assert set(remote.splitlines()) < set(here.splitlines())
    assert {line[24:28] for line in remote.splitlines()} == {"job "}
    assert remote.endswith("job      The job succeeded.\n")


def test_kept_lines_can_only_be_read_by_their_owner(logged: Stack) -> None:
    folder = logged.folder / "logs"
    assert {path.name for path in folder.glob("*.jsonl")} == {"gateway.jsonl", "upkeep.jsonl", "worker.jsonl"}
    assert {oct(path.stat().st_mode & 0o777) for path in (folder, *folder.glob("*.jsonl"))} == {"0o700", "0o600"}


def test_a_folder_that_cannot_be_used_stops_no_program(logged: Stack, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code = "from rowcast.logs import *; from rowcast.settings import Settings; set_up(Settings.read(), 'p')"
    variables = {**logged.variables, "ROWCAST_LOG_FOLDER": str(tmp_path / "file" / "logs")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env=variables
    )
    assert done.stderr == f"Log lines are not kept in {tmp_path}/file/logs: Not a directory.\n"
