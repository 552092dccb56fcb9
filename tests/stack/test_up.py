"""`rowcast up` and `rowcast demo` as a user starts them."""

import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import estimators
import httpx
import numpy as np
import psutil
import pytest
from programs import ROOT, SUPPORT, until
from registering import register

from rowcast import Client, api_keys
from rowcast.cli.main import main
from rowcast.client import StillRunning
from rowcast.compiled_cache import has_code
from rowcast.jobs.records.redis_client import connect
from rowcast.jobs.records.redis_keys import key
from rowcast.local.running_services import instance_at
from rowcast.local.stale_processes import VARIABLE

ROWS = b"age,pclass,name\n" + b'25,3,"Allen, Mr."\n35,1,Bonnell\n' * 500
PROGRAMS = {"redis", "worker", "gateway", "upkeep"}


@dataclass
class Started:
    """A supervisor, with what it has written so far."""

    process: "subprocess.Popen[bytes]"
    data: Path
    errors: Path
    url: str = ""

    def programs(self) -> dict[str, psutil.Process]:
        """Returns the leading process of each program, found by its mark."""
        found = {}
        for process in psutil.process_iter():
            try:
                words = process.environ().get(VARIABLE, "").split(" ", 2)
                if words[2:] == [str(self.data)] and os.getpgid(process.pid) == process.pid:
                    found[words[1]] = process
            except (psutil.Error, ProcessLookupError):
                continue
        return found

    def reaper(self) -> psutil.Process:
        (found,) = (
            child for child in psutil.Process(self.process.pid).children() if "rowcast.local.reaper" in child.cmdline()
        )
        return found

    def running(self) -> list[int]:
        """Returns every process below the supervisor, orphans included."""
        found = []
        for process in psutil.process_iter():
            try:
                marked = process.environ().get(VARIABLE, "").endswith(f" {self.data}")
                is_reaper = process.cmdline()[-1:] == [str(self.data)]
                if (marked or is_reaper) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process.pid)
            except psutil.Error:
                continue
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, bytes]:
        """Sends the signal to the whole group, as a terminal does; returns the exit code and the rest of the output."""
        os.killpg(self.process.pid, number)
        rest = self.process.stdout.read()
        return self.process.wait(), rest


Start = Callable[..., Started]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts the command line with a data folder."""
    begun: list[Started] = []

    def begin(data: Path, *words: str, command: str = "up", ready: bool = True, terminal: bool = False) -> Started:
        errors = tmp_path / f"errors-{len(begun)}.log"
        with terminal_into(errors) if terminal else errors.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "rowcast.cli", command, "--data", str(data), *words],
                stdout=subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                start_new_session=True,
            )
        started = Started(process, data, errors)
        begun.append(started)
        if ready:
            line = process.stdout.readline().decode()
            assert line.startswith("Rowcast is ready at http://127.0.0.1:"), errors.read_text()
            started.url = line.split()[-1]
        return started

    yield begin
    for started in begun:
        if started.process.poll() is None:
            started.end()
        started.process.stdout.close()
    for started in begun:
        until(lambda started=started: not started.running(), "all processes end")


@contextmanager
def terminal_into(path: Path) -> Iterator[int]:
    """A terminal's end for a program; what is written to it lands in the file, with the terminal's line ends."""
    leader, follower = pty.openpty()

    def copy() -> None:
        with path.open("wb", buffering=0) as file, suppress(OSError):  # Linux' word for the other end being closed
            while block := os.read(leader, 65536):
                file.write(block)
        os.close(leader)

    threading.Thread(target=copy).start()
    yield follower
    os.close(follower)


@pytest.fixture
def data(tmp_path: Path, trained: Path) -> Path:
    """A data folder with the default model, and a space in its name."""
    folder = tmp_path / "data folder"
    folder.mkdir()
    shutil.copytree(trained, folder / "models")
    return folder


def test_dead_programs_and_supervisors_and_stops_leave_no_process_and_lose_no_job(
    start: Start, data: Path, tmp_path: Path
) -> None:
    """Goes from start to start on one data folder, because a start costs seconds."""
    first = start(data, "--port", "0", "--gateways", "2")
    (tmp_path / "in.csv").write_bytes(ROWS)
    with Client(first.url) as client:
        assert client.predict([25, 3]).prediction == 0
        done = client.predict_csv(tmp_path / "in.csv", tmp_path / "out.csv", model="titanic@production")
        assert done.progress["rows_done"] == 1000
        table = done.to_pandas()
    assert list(table.columns) == ["age", "pclass", "name", "prediction"]
    assert len(table) == 1000
    assert_port_and_folder_are_taken(start, first, tmp_path)
    lines = rowcast("logs", done.id, "--data", str(data)).stdout
    assert "The job succeeded." in lines
    assert "gateway  POST /predict 202" in lines

    kill_each_program(first, PROGRAMS | {"gateway-2"})
    assert_both_gateways_answer(first)
    with Client(first.url) as client:
        assert client.predict([25, 3]).prediction == 0
        assert client.job(done.id).status == "succeeded"
        os.killpg(first.programs()["worker"].pid, signal.SIGSTOP)
        job = client.submit_csv(ROWS)
        with pytest.raises(StillRunning):
            job.wait(timeout=0)
    assert_ends_at_once_at_the_second_signal(first)

    second = start(data, "--port", "0")
    with Client(second.url) as client:
        assert client.job(job.id).wait(timeout=90).progress["rows_done"] == 1000
    left = kill_with_its_reaper(second)
    third = start(data, "--port", second.url.rsplit(":", 1)[1])
    assert '"event": "stale_processes_ended"' in third.errors.read_text()
    # A killed process may stay a zombie for a moment, until its new parent takes notice.
    until(lambda: not any(process.is_running() for process in left), "the leftovers are gone")
    with Client(third.url) as client:
        assert client.job(job.id).to_pandas().shape == (1000, 4)
        assert client.predict([25, 3]).prediction == 0

    left = list(third.programs().values())
    third.process.kill()
    third.process.wait()  # the reaper ends its programs, or the next start does
    fourth = start(data, "--port", "0", ready=False)
    until(lambda: not any(process.is_running() for process in left), "the leftovers are gone")
    until(lambda: "redis" in fourth.programs(), "the first program runs")
    assert fourth.end() == (0, b"")
    until(lambda: not third.running(), "all processes end")


def assert_port_and_folder_are_taken(start: Start, up: Started, tmp_path: Path) -> None:
    port = up.url.rsplit(":", 1)[1]
    taken = start(tmp_path / "other", "--port", port, ready=False)
    second = start(up.data, "--port", "0", ready=False)
    assert taken.process.wait() == 2
    assert f"Port {port} on 127.0.0.1 is taken" in taken.errors.read_text()
    assert second.process.wait() == 2
    assert f"Another `rowcast up` uses {up.data}" in second.errors.read_text()


def kill_each_program(up: Started, names: Set[str]) -> None:
    """Kills them all, and waits until each has a successor."""
    until(lambda: set(up.programs()) == names, "all programs run")
    before = up.programs()
    for process in before.values():
        process.kill()

    def is_renewed() -> bool:
        now = up.programs()
        return set(now) == set(before) and all(now[name].pid != before[name].pid for name in now)

    until(is_renewed, "all programs run again")
    errors = up.errors.read_text()
    for name in before:
        assert f'"process": "{name}", "how": "killed by SIGKILL"' in errors


def assert_both_gateways_answer(up: Started) -> None:
    """Stops each for a while; the other answers on the port that they share."""
    gateways = {up.programs()[name] for name in ("gateway", "gateway-2")}
    for still in gateways:
        (other,) = gateways - {still}
        os.killpg(still.pid, signal.SIGSTOP)
        until(lambda: _answers(up.url), "the other answers")
        assert other.is_running()
        os.killpg(still.pid, signal.SIGCONT)


def _answers(url: str) -> bool:
    # A new connection; one that the still gateway has been given is not answered.
    try:
        return httpx.get(f"{url}/health", timeout=1, headers={"Connection": "close"}).is_success
    except httpx.TransportError:
        return False


def assert_ends_without_a_trace(up: Started, number: signal.Signals, names: Set[str]) -> None:
    until(lambda: set(up.programs()) == names, "all programs run")
    programs = up.programs()
    code, rest = up.end(number)
    assert (code, rest) == (0, b"")
    assert not up.running()
    assert not any(process.is_running() for process in programs.values())


def assert_ends_at_once_at_the_second_signal(up: Started) -> None:
    """The worker does not end. It is killed at the second Ctrl-C; without that, 12 seconds after the first."""
    until(lambda: set(up.programs()) == PROGRAMS | {"gateway-2"}, "all programs run")
    os.killpg(up.process.pid, signal.SIGINT)
    until(lambda: set(up.programs()) == {"redis", "worker"}, "the others end")
    assert_ends_without_a_trace(up, signal.SIGINT, {"redis", "worker"})
    assert '"event": "process_killed"' not in up.errors.read_text()


def kill_with_its_reaper(up: Started) -> list[psutil.Process]:
    """Kills both, and returns the programs, which nothing has ended."""
    until(lambda: set(up.programs()) == PROGRAMS, "all programs run")
    left = list(up.programs().values())
    reaper = up.reaper()
    up.process.send_signal(signal.SIGSTOP)  # so that it does not start another reaper
    reaper.kill()
    up.process.kill()
    up.process.wait()
    assert all(process.is_running() for process in left)
    return left


def test_it_starts_without_a_model_and_says_how_to_add_one(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR")  # of the tests, so that this start compiles into its own folder
    up = start(tmp_path / "new", "--port", "0", terminal=True)
    answer = httpx.get(f"{up.url}/ready")
    assert answer.status_code == 503
    assert answer.json()["checks"]["models"]["ok"] is False
    until(lambda: "rowcast models add FILE" in up.errors.read_text(), "it says how")

    train = ("train", "--data", "training/data/titanic.csv", "--target", "survived", "--features", "age,pclass")
    mine = rowcast(*train, "--name", "mine", "--estimator", "logistic_regression")
    assert f"Registered mine@1 in {up.data} (the service at {up.url})." in mine.stderr
    until(lambda: httpx.get(f"{up.url}/ready").status_code == 200, "it is ready")
    scored = rowcast("predict", "training/data/titanic.csv")
    assert "1,309 rows scored by mine@1" in scored.stderr
    assert rowcast("audit").stderr.endswith("Everything adds up.\n")

    assert up.end(signal.SIGINT)[0] == 0
    assert not up.running()
    assert f"Auditing {up.data} (no service is running there)" in rowcast("audit", "--data", str(up.data)).stderr
    lines = [line for line in up.errors.read_text().splitlines() if "not ready yet" not in line]  # on a slow machine
    assert any(re.fullmatch(r"\d\d:\d\d:\d\d gateway  POST /predict 202 in .* ms", line) for line in lines), lines
    assert not any("/ready" in line or "WARNING" in line or "worker:" in line or "{" in line for line in lines), lines
    assert max(map(len, lines)) <= 100, lines
    plain = [re.sub(r"\x1b\[\d*m", "", line) for line in lines]
    program = r"\d\d:\d\d:\d\d (up|redis|gateway|worker|upkeep) +\w.*"
    sentences = r"Compiling the fast path for trees\. .*|No model yet\. .*|Stopping\. .*|"
    assert all(re.fullmatch(rf"{program}|{sentences}", line) for line in plain), lines
    assert plain[0].startswith("Compiling the fast path")
    assert has_code(up.data / "numba")
    warnings = [line for line in plain if "warn" in line.lower()]
    assert [line.partition("warning: ")[2][:12] for line in warnings] == ["There are no"], "only what can be acted on"


def rowcast(*words: str) -> "subprocess.CompletedProcess[str]":
    """Runs a command as the user of the service does in another terminal."""
    command = [sys.executable, "-m", "rowcast.cli", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_ended_while_it_starts(start: Start, data: Path, number: signal.Signals) -> None:
    up = start(data, "--port", "0", ready=False)
    until(lambda: "redis" in up.programs(), "the first program runs")
    code, rest = up.end(number)
    assert (code, rest) == (0, b"")
    assert not up.running()


def test_a_setting_that_does_not_fit_stops_the_start(start: Start, data: Path, monkeypatch) -> None:
    monkeypatch.setenv("ROWCAST_CHUNK_ROWS", "many")
    up = start(data, "--port", "0", ready=False)
    assert up.process.wait() == 2
    assert "ROWCAST_CHUNK_ROWS=many" in up.errors.read_text()
    assert not up.running()


def test_beyond_loopback_it_wants_a_word(start: Start, data: Path) -> None:
    up = start(data, "--port", "0", "--host", "0.0.0.0", ready=False)
    assert up.process.wait() == 2
    assert "ROWCAST_OPEN=true" in up.errors.read_text()


def test_with_keys_it_listens_beyond_loopback_and_leaves_a_redis_of_ones_own_alone(
    start: Start, data: Path, tmp_path: Path, redis_url: str, redis, monkeypatch
) -> None:
    monkeypatch.setenv("ROWCAST_API_KEYS_FILE", str(tmp_path / "keys"))
    monkeypatch.setenv("ROWCAST_REDIS_URL", redis_url)
    monkeypatch.setenv("ROWCAST_POOLS", "heavy=images-*")
    secret = api_keys.new(tmp_path / "keys", "alice")
    up = start(data, "--port", "0", "--host", "0.0.0.0", "--workers", "1", "--pool", "heavy=1")
    assert set(up.programs()) <= {"worker", "pool-heavy", "gateway", "upkeep"}
    assert httpx.get(f"{up.url}/jobs").status_code == 401
    with Client(up.url, secret) as client:
        assert client.predict([25, 3]).prediction == 0
    pools = httpx.get(f"{up.url}/queue", headers={"Authorization": f"Bearer {secret}"}).json()["pools"]
    assert [(one["pool"], one["processes"]) for one in pools] == [(None, 1), ("heavy", 1)]
    assert_ends_without_a_trace(up, signal.SIGTERM, PROGRAMS - {"redis"} | {"pool-heavy"})
    assert redis.ping()


def test_a_bad_line_among_the_keys_stops_the_start_and_is_told_once(
    start: Start, data: Path, tmp_path: Path, monkeypatch
) -> None:
    file = tmp_path / "keys"
    file.write_text("alice\n")
    monkeypatch.setenv("ROWCAST_API_KEYS_FILE", str(file))
    up = start(data, "--port", "0", ready=False)
    assert up.process.wait() == 2
    form = "NAME:ROLE:SHA256 or NAME:ROLE:SHA256:EXPIRES"
    assert up.errors.read_text() == f"rowcast: {file}, line 1: the line must have the form {form}\n"
    assert not up.running()


def test_the_demo_scores_the_titanic_beside_a_busy_port_and_stops(start: Start, data: Path) -> None:
    """The model is there already: the clone of tests/test_readme.py trains it, by the same function."""
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        demo = start(data, "--port", str(port), command="demo", ready=False)
        out = demo.process.stdout.read().decode()
        assert demo.process.wait() == 0, demo.errors.read_text()
    lines = out.splitlines()
    assert lines[0].endswith("prediction")
    assert len(lines) == 6
    errors = demo.errors.read_text()
    assert f"Port {port} on 127.0.0.1 is taken" in errors
    assert str(data / "titanic-predictions.csv") in errors
    whole = (data / "titanic-predictions.csv").read_text().splitlines()
    source = (ROOT / "training" / "data" / "titanic.csv").read_text().splitlines()
    assert len(whole) == len(source)
    assert not demo.running()


def test_an_interrupted_demo_leaves_nothing_running(start: Start, data: Path) -> None:
    demo = start(data, "--port", "0", command="demo", ready=False)
    until(lambda: "gateway" in demo.programs(), "the programs run")
    code, _ = demo.end(signal.SIGINT)
    assert code == 130
    assert not demo.running()


def test_workers_come_with_the_work_and_go_without_it_and_break_off_no_chunk(
    start: Start, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"CHUNK_ROWS": "64", "BACKLOG_SECONDS": "0.001", "SCALE_DOWN_SECONDS": "1"}
    for name, value in settings.items():
        monkeypatch.setenv(f"ROWCAST_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(SUPPORT))
    register(data / "models", "stuck", estimators.Stuck(str(data)).fit(np.zeros((2, 1)), [0, 1]), ["age"])
    (data / "stuck").touch()
    up = start(data, "--port", "0", "--workers", "auto:3")
    added = {"worker-2", "worker-3"}
    with Client(up.url) as client:
        job = client.submit_csv(b"age\n" + b"25\n40\n" * 32 * 12, model="stuck")
        until(lambda: busy_workers(up) == 3, "as many workers as are allowed have a chunk")
        os.kill(up.programs()["upkeep"].pid, signal.SIGSTOP)  # so that it does not count the work
        leaving = [up.programs()[name] for name in added]
        connect(instance_at(data).redis_url).delete(key("wanted"))
        until(lambda: '"before": 3, "now": 1' in up.errors.read_text(), "the added workers are asked to leave")
        assert busy_workers(up) == 3, "they have their chunks still"
        (data / "stuck").unlink()
        psutil.wait_procs(leaving, timeout=60)
        os.kill(up.programs()["upkeep"].pid, signal.SIGCONT)

        assert job.wait(timeout=90).progress["rows_done"] == 64 * 12
        chunks = httpx.get(f"{up.url}/jobs/{job.id}/chunks?limit=20").json()["chunks"]
        assert [chunk["attempts"] for chunk in chunks] == [1] * 12
        assert len(job.to_pandas()) == 64 * 12
        until(lambda: set(up.programs()) == PROGRAMS, "the added workers go when there is nothing to do")

        (data / "stuck").touch()
        client.submit_csv(b"age\n" + b"25\n" * 640, model="stuck")
        until(lambda: busy_workers(up) == 3, "they come again")
    assert_ends_without_a_trace(up, signal.SIGINT, PROGRAMS | added)
    assert '"process_killed"' not in up.errors.read_text()


def busy_workers(up: Started) -> int:
    """Returns how many workers have a chunk."""
    return sum(bool(worker["work"]) for worker in httpx.get(f"{up.url}/queue").json()["workers"])


@pytest.mark.parametrize(
    ("pool", "why"),
    [("heavy=0", "must be NAME=N, for example heavy=1"), ("Heavy=1", "must be NAME=N"), ("a=1", "names no pool 'a'")],
)
def test_a_pool_that_makes_no_sense_is_refused(
    data: Path, capsys: pytest.CaptureFixture[str], pool: str, why: str
) -> None:
    assert main(["up", "--data", str(data), "--pool", pool]) == 2
    assert why in " ".join(capsys.readouterr().err.replace("│", "").split())


@pytest.mark.parametrize("workers", ["0", "auto:0", "many"])
def test_a_number_of_workers_that_makes_no_sense_is_refused(start: Start, data: Path, workers: str) -> None:
    up = start(data, "--workers", workers, ready=False)
    assert up.process.wait() == 2
    assert "must be a number from 1 on, auto, or auto:MAX" in " ".join(re.findall(r"\w[\w,:]*", up.errors.read_text()))
