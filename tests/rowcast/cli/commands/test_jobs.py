import json
import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from fake_service import FakeService, Handler, problem
from programs import Stack, http_client, until
from scored import submit

ID = "d23206a5-eb2e-4499-ab96-45ef2a0ae9e8"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_bytes(b"age,pclass\n25,3\n")
    return path


@pytest.fixture
def job(rowcast, service: FakeService, table: Path) -> str:
    return rowcast("submit", table).stdout.decode().strip()


def test_a_file_goes_in_and_a_file_comes_out(rowcast, service: FakeService, table: Path, tmp_path: Path) -> None:
    done = rowcast("predict", table, "-o", tmp_path / "out.csv")
    assert done.returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == service.result
    assert done.stdout == b""
    said = done.stderr.decode()
    assert "40,000 rows scored by titanic@1" in said
    assert "1 of them could not be predicted: rowcast errors " in said


@pytest.mark.parametrize("words", [("predict", "in.csv"), ("result", ID)])
def test_a_file_that_was_made_meanwhile_is_not_overwritten(
    rowcast, service: FakeService, table: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, str]
) -> None:
    monkeypatch.chdir(table.parent)
    id = rowcast("submit", table).stdout.decode().strip()
    out = table.with_name("out.csv")

    def make(handler: Handler) -> None:
        out.write_bytes(b"mine")
        handler.answer(200, service.result)

    service.fails("GET /jobs/result", make)
    done = rowcast(words[0], words[1].replace(ID, id), "-o", "out.csv")
    assert done.returncode == 2
    assert b"out.csv was made by another program meanwhile" in done.stderr
    assert out.read_bytes() == b"mine"
    assert sorted(path.name for path in table.parent.iterdir()) == ["in.csv", "out.csv"]
    assert rowcast(words[0], words[1].replace(ID, id), "-o", "out.csv", "--force").returncode == 0
    assert out.read_bytes() == service.result


def test_every_option_reaches_the_service(rowcast, service: FakeService, table: Path) -> None:
    words = (
        "--model m@2 --output predictions --key a,b --probabilities --on-error fail --max-errors 3 "
        "--delimiter tab --no-header --prediction-column p --scores --decimal , --encoding utf-16 --na-values NA,n/a "
        "--guard-formulas"
    )
    assert rowcast("submit", table, *words.split()).returncode == 0
    assert service.seen[-1].query == {
        "model": "m@2",
        "output": "predictions",
        "key": "a,b",
        "probabilities": "true",
        "on_error": "fail",
        "max_errors": "3",
        "delimiter": "tab",
        "header": "false",
        "prediction_column": "p",
        "scores": "true",
        "decimal": ",",
        "encoding": "utf-16",
        "na_values": "NA,n/a",
        "guard_formulas": "true",
    }


def test_a_pipe_goes_in_and_a_pipe_comes_out(program, service: FakeService) -> None:
    out, err = program("predict", "-").communicate(b"age,pclass\n25,3\n")
    assert out == service.result
    assert b"rows scored" in err
    assert next(entry for entry in service.seen if entry.method == "POST").body == b"age,pclass\n25,3\n"


def test_a_closed_output_pipe_is_not_an_error(program, service: FakeService) -> None:
    process = program("predict", "-")
    process.stdin.close()
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait() == 141
    assert b"Traceback" not in err
    assert b"Exception" not in err


def test_a_failed_job_is_exit_code_1(rowcast, service: FakeService, table: Path, tmp_path: Path) -> None:
    service.statuses = ["queued", "failed"]
    service.error = {"detail": "row 3: not a number"}
    done = rowcast("predict", table, "-o", tmp_path / "out.csv")
    assert done.returncode == 1
    assert b"row 3: not a number" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_a_refused_request_is_exit_code_2_with_each_fault(rowcast, service: FakeService, table: Path) -> None:
    def refuse(handler: Handler) -> None:
        handler.read_body()
        fault = {"where": "header.age", "message": "missing; the nearest column is 'Age'"}
        handler.answer_json(422, {"status": 422, "detail": "The header does not fit.", "errors": [fault]})

    service.fails("POST /predict", refuse)
    done = rowcast("predict", table)
    assert done.returncode == 2
    assert done.stderr.decode().splitlines()[-2:] == [
        "rowcast: The header does not fit.",
        "  header.age: missing; the nearest column is 'Age'",
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["predict"],
        ["predict", "no-such-file.csv"],
        ["predict", "in.csv", "--output", "nonsense"],
        ["predict", "in.csv", "--max-errors", "-1"],
        ["no-such-command"],
        ["status", "no-id"],
        ["status", "--url", "nonsense", ID],
        ["status", ID],
    ],
    ids=" ".join,
)
def test_wrong_use_is_exit_code_2_and_one_clear_message(rowcast, service, words: list[str]) -> None:
    done = rowcast(*words)
    assert done.returncode == 2
    assert done.stdout == b""
    assert b"Traceback" not in done.stderr
    assert done.stderr


def test_a_service_that_cannot_be_reached_is_exit_code_3(rowcast, table: Path) -> None:
    done = rowcast("predict", table, "--url", "http://127.0.0.1:1")
    assert done.returncode == 3
    assert done.stderr == (
        b"rowcast: http://127.0.0.1:1 cannot be reached: Connection refused. Start a service with `rowcast up`.\n"
    )


def test_a_service_that_stays_away_is_exit_code_3(rowcast, service: FakeService) -> None:
    service.fails("GET /jobs", problem(503, "Redis is away.", Retry_After="3600"))
    assert rowcast("jobs").returncode == 3


def test_a_full_disk_is_reported_in_one_sentence(rowcast, service: FakeService, table: Path) -> None:
    done = rowcast("predict", table, "-o", "/dev/full")
    assert done.returncode == 2
    assert b"No space left on device" in done.stderr
    (job,) = service.jobs
    assert f"The job has ended. Download its result with: rowcast result {job} -o /dev/full" in done.stderr.decode()


def test_a_service_that_goes_away_leaves_the_jobs_id(rowcast, service: FakeService, table: Path) -> None:
    service.fails("GET /jobs", problem(503, "Redis is away.", Retry_After="3600"))
    done = rowcast("predict", table, "-o", "out.csv")
    assert done.returncode == 3
    (job,) = service.jobs
    assert f"The job is still running. Download its result with: rowcast result {job} -o out.csv" in str(done.stderr)
    assert f"rowcast cancel {job}" in str(done.stderr)


@pytest.mark.parametrize("call", ["GET /jobs", "GET /jobs/result"])
def test_an_api_key_that_is_removed_meanwhile_leaves_the_jobs_id(
    rowcast, service: FakeService, table: Path, call: str
) -> None:
    service.fails(call, problem(401, "The service does not know this API key."))
    done = rowcast("predict", table, "-o", "out.csv")
    assert done.returncode == 2
    (job,) = service.jobs
    assert f"Download its result with: rowcast result {job} -o out.csv" in str(done.stderr)


def test_a_long_result_is_written_while_it_is_scored(
    program, service: FakeService, table: Path, tmp_path: Path
) -> None:
    first = service.result[: len(service.result) // 2]
    begun, is_scored = threading.Event(), threading.Event()

    def follows(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(first)
        begun.set()
        assert is_scored.wait(60)
        handler.wfile.write(service.result[len(first) :])
        handler.close_connection = True

    service.statuses = ["queued", "running"]
    service.fails("GET /jobs/result", follows)
    process = program("predict", table, "-o", "out.csv")
    assert begun.wait(60)
    # The last bytes may still be in the buffer of the file.
    until(lambda: any(path.read_bytes() for path in tmp_path.glob(".out.csv.*.part")), "the first rows")
    assert not (tmp_path / "out.csv").exists()
    service.statuses.append("succeeded")
    is_scored.set()
    assert process.wait(60) == 0
    assert (tmp_path / "out.csv").read_bytes() == service.result


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, b"Interrupted.\n"),
        (signal.SIGTERM, 143, b"Terminated by SIGTERM.\n"),
        (signal.SIGHUP, 129, b"Terminated by SIGHUP.\n"),
    ],
)
def test_a_signal_leaves_no_file_and_tells_how_to_get_the_result(
    program, service: FakeService, table: Path, tmp_path: Path, number: int, code: int, said: bytes
) -> None:
    waited = threading.Event()

    def holds(handler: Handler) -> None:
        waited.set()
        handler.rfile.read(1)  # until the client goes away

    service.fails("GET /jobs", holds)
    process = program("predict", table, "-o", "out file", "--format", "ndjson")
    assert waited.wait(60)
    process.send_signal(number)
    _, err = process.communicate()
    (job,) = service.jobs
    assert process.returncode == code
    assert f"rowcast result {job} -o 'out file' --format ndjson" in err.decode()
    assert err.endswith(said)
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_an_interrupted_run_of_several_files_goes_on_with_those_that_have_no_result(
    program, rowcast, service: FakeService, table: Path, tmp_path: Path
) -> None:
    names = ["a.csv", "b.csv", "c.csv"]
    for name in names:
        (tmp_path / name).write_bytes(table.read_bytes())
    waited = threading.Event()

    def holds(handler: Handler) -> None:
        waited.set()
        handler.rfile.read(1)  # until the client goes away

    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a-predictions.csv").write_bytes(b"kept")
    service.fails("GET /jobs", holds)
    process = program("predict", *names, "-o", "results", "--skip-existing")
    assert waited.wait(60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130
    assert err.startswith(b"Left out 1 file whose result exists.\n")
    assert b"0 of 2 files have a result. The same command with --skip-existing scores the others." in err
    inputs = [tmp_path / name for name in names]
    before = len(service.jobs)
    again = rowcast("predict", *inputs, "-o", tmp_path / "results", "--skip-existing")
    assert (again.returncode, len(service.jobs) - before) == (0, 2), again.stderr
    assert (tmp_path / "results" / "a-predictions.csv").read_bytes() == b"kept"
    done = rowcast("predict", *inputs, "-o", tmp_path / "results", "--skip-existing")
    assert (done.returncode, done.stderr) == (0, b"Left out 3 files whose result exists.\n")


def test_the_half_written_file_of_a_killed_command_is_removed_by_the_next(
    program, service: FakeService, table: Path, tmp_path: Path
) -> None:
    def part_files() -> list[str]:
        return [path.name for path in tmp_path.iterdir() if path.suffix == ".part"]

    waiting: list[threading.Event] = []

    def holds(handler: Handler) -> None:
        waiting.pop().set()
        handler.rfile.read(1)  # until the client goes away

    def begin() -> "subprocess.Popen[bytes]":
        waiting.append(waits := threading.Event())
        service.fails("GET /jobs", holds)
        process = program("predict", table, "-o", "out.csv")
        assert waits.wait(60)
        return process

    killed = begin()
    (abandoned,) = part_files()
    killed.kill()
    killed.wait()
    running = begin()
    (used,) = part_files()
    assert used != abandoned
    begin()
    assert len(part_files()) == 2, "that of a command that still runs is kept"
    running.send_signal(signal.SIGTERM)
    running.wait()
    assert used not in part_files()


@pytest.mark.parametrize(("typed", "status"), [(b"y\n", "cancelled"), (b"\n", "running"), (b"\x03", "running")])
def test_ctrl_c_on_a_terminal_asks_whether_to_cancel(
    service: FakeService, table: Path, typed: bytes, status: str
) -> None:
    waited = threading.Event()

    def holds(handler: Handler) -> None:
        waited.set()
        handler.rfile.read(1)  # until the client goes away

    service.fails("GET /jobs", holds)
    pid, terminal = pty.fork()
    if pid == 0:
        command = [sys.executable, "-m", "rowcast.cli", "predict", str(table), "-o", str(table.with_name("out.csv"))]
        os.execv(sys.executable, command)
    assert waited.wait(60)
    os.write(terminal, b"\x03")
    shown = b""

    def asks() -> bool:
        nonlocal shown
        shown += os.read(terminal, 65_536)
        return b"Cancel the job too?" in shown

    until(asks, "it asks")
    os.write(terminal, typed)
    with suppress(OSError):  # the terminal is closed at the end
        while block := os.read(terminal, 65_536):
            shown += block
    _, code = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(code) == 130
    (job,) = service.jobs.values()
    assert (job["status"] == "cancelled") == (status == "cancelled"), shown
    assert (b"rowcast result" in shown) == (status == "running")


def test_a_result_that_exists_is_kept_without_force(
    rowcast, service: FakeService, job: str, table: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(b"kept")
    for command in (["predict", table], ["result", job], ["errors", job]):
        done = rowcast(*command, "-o", out)
        assert done.returncode == 2
        assert b"--force" in done.stderr
        assert out.read_bytes() == b"kept"
    assert rowcast("result", job, "-o", out, "--force").returncode == 0
    assert out.read_bytes() == service.result


def test_several_files_go_into_a_folder_and_one_that_fails_stops_no_other(
    rowcast, service: FakeService, table: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.csv"
    other.write_bytes(table.read_bytes())
    folder = tmp_path / "results"
    service.fails("POST /predict", problem(422, "the header lacks columns"))
    done = rowcast("predict", table, other, "-o", folder)
    assert done.returncode == 1
    said = done.stderr.decode()
    assert f"{table}:\nrowcast: the header lacks columns" in said
    assert "1 of 2 files could not be scored." in said
    assert [file.name for file in folder.iterdir()] == ["other-predictions.csv"]
    assert (folder / "other-predictions.csv").read_bytes() == service.result


def test_a_job_is_shown_and_waited_for(rowcast, service: FakeService, job: str) -> None:
    shown = rowcast("status", job).stdout.decode()
    assert job in shown
    assert "running" in shown
    assert json.loads(rowcast("status", job, "--wait", "--json").stdout)["status"] == "succeeded"


def test_waiting_for_a_job_that_fails_is_exit_code_1(rowcast, service: FakeService, job: str) -> None:
    service.statuses = ["queued", "failed"]
    assert rowcast("status", job, "--wait").returncode == 1


def test_a_result_is_fetched_later(rowcast, service: FakeService, job: str, tmp_path: Path) -> None:
    assert rowcast("result", job, "-o", tmp_path / "out.csv").returncode == 0
    assert (tmp_path / "out.csv").read_bytes() == service.result


def test_results_are_written_in_the_format_of_the_ending_or_the_option(
    rowcast, service: FakeService, job: str, table: Path, tmp_path: Path
) -> None:
    for words in (
        ["result", job, "-o", tmp_path / "1.parquet"],
        ["result", job, "-o", tmp_path / "2.csv", "--format", "parquet"],
        ["predict", table, "-o", tmp_path / "3.parquet"],
        ["predict", table, "-o", tmp_path / "4.jsonl"],
        ["predict", table, "--format", "parquet"],
    ):
        service.seen.clear()
        assert rowcast(*words).returncode == 0, words
        (query,) = [entry.query for entry in service.seen if entry.path.endswith("/result")]
        assert query.get("format") == ("ndjson" if "jsonl" in str(words) else "parquet")
        assert "follow" not in query
    assert {path.read_bytes() for path in tmp_path.glob("[0-9].*")} == {service.result}
    assert rowcast("predict", table, table, "-o", tmp_path / "all", "--format", "ndjson").returncode == 0
    assert rowcast("result", job, "--format", "xlsx").returncode == 2


def test_a_job_that_comes_while_a_bulk_action_asks_is_left_alone(gateway: Stack) -> None:
    with http_client(gateway.url) as http:
        counted = [submit(http, "titanic", b"age,pclass\n25,3\n", tags="run:asked") for _ in range(2)]
        pid, terminal = pty.fork()
        if pid == 0:
            command = ["rowcast.cli", "jobs", "--tag", "run:asked", "--do", "delete", "--url", gateway.url]
            os.execv(sys.executable, [sys.executable, "-m", *command])
        shown = b""
        while b"2 matching jobs. Delete?" not in shown:
            shown += os.read(terminal, 65_536)
        later = submit(http, "titanic", b"age,pclass\n25,3\n", tags="run:asked")
        os.write(terminal, b"y\n")
        with suppress(OSError):  # the terminal is closed at the end
            while block := os.read(terminal, 65_536):
                shown += block
        os.waitpid(pid, 0)
        os.close(terminal)
        assert b"Done to 2." in shown
        assert [http.get(f"/jobs/{id}").status_code for id in (*counted, later)] == [410, 410, 200]
        http.delete(f"/jobs/{later}")


def test_a_parquet_file_is_not_shown_on_a_terminal(service: FakeService, table: Path, job: str) -> None:
    before = len(service.seen)
    for words in (["predict", str(table)], ["result", job]):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(sys.executable, [sys.executable, "-m", "rowcast.cli", *words, "--format", "parquet"])
        shown = b""
        with suppress(OSError):  # the terminal is closed at the end
            while block := os.read(terminal, 65_536):
                shown += block
        _, code = os.waitpid(pid, 0)
        os.close(terminal)
        assert os.waitstatus_to_exitcode(code) == 2
        assert b"-o out.parquet" in shown.replace(b"\r\n", b"")
    assert len(service.seen) == before


def test_bad_rows_are_listed_as_they_came(rowcast, service: FakeService, job: str) -> None:
    assert rowcast("errors", job).stdout == service.bad_rows


def test_a_job_is_cancelled(rowcast, service: FakeService, job: str) -> None:
    assert rowcast("cancel", job).returncode == 0
    assert service.jobs[job]["status"] == "cancelled"


def test_the_beginning_of_an_id_is_enough_if_no_other_begins_so(rowcast, service: FakeService, table: Path) -> None:
    service.statuses = ["queued"]
    first, second, third = (rowcast("submit", table).stdout.decode().strip() for _ in range(3))
    first, second, third = (
        rename(service, first, "d2320"),
        rename(service, second, "d2328"),
        rename(service, third, "e"),
    )
    for words in (["status", "d2320"], ["cancel", first[:12].replace("-", "")], ["errors", first[:-1].upper()]):
        assert rowcast(*words).returncode == 0, words
    assert service.jobs[first]["status"] == "cancelled"
    several = rowcast("status", "d232")
    assert several.returncode == 2
    assert several.stderr.decode().splitlines() == [
        "rowcast: Several job ids begin with 'd232'. Give more characters of one:", f"  {second}", f"  {first}"
    ]  # fmt: skip
    assert b"No job has an id that begins with 'd2324'" in rowcast("status", "d2324").stderr
    assert rowcast("delete", "e", second).returncode == 0
    assert list(service.jobs) == [first]


def rename(service: FakeService, id: str, begins: str) -> str:
    raw = service.jobs.pop(id)
    raw["id"] = begins + id[len(begins) :]
    service.jobs[raw["id"]] = raw
    return raw["id"]


def test_jobs_are_deleted_all_or_none_if_one_is_unknown(rowcast, service: FakeService, job: str) -> None:
    assert rowcast("delete", job, ID).returncode == 2
    assert job in service.jobs
    done = rowcast("delete", job)
    assert (done.returncode, done.stderr.decode()) == (0, f"Job {job} is deleted.\n")
    assert not service.jobs


def test_a_job_is_retried(rowcast, service: FakeService, job: str) -> None:
    assert b"is queued" in rowcast("retry", job).stderr
    assert f"/jobs/{job}/retry" in vars(service.seen[-1]).values()


def test_jobs_are_listed_for_people_and_for_machines(rowcast, service: FakeService, job: str) -> None:
    assert rowcast("jobs").stdout.decode().startswith(f"{job}\tqueued\ttitanic@1\t40000\t1")
    assert [entry["id"] for entry in json.loads(rowcast("jobs", "--json").stdout)] == [job]


def test_the_job_as_json_goes_where_the_result_does_not(rowcast, service: FakeService, table, tmp_path) -> None:
    done = rowcast("predict", table, "-o", tmp_path / "out.csv", "--json")
    assert json.loads(done.stdout)["status"] == "succeeded"
    done = rowcast("predict", table, "--json")
    assert done.stdout == service.result
    assert b'"status": "succeeded"' in done.stderr


def test_what_the_output_cannot_show_is_escaped(program, service: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such outputs are those of LC_ALL=C and of a Windows console."""
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    service.jobs[ID] = {**service.job(), "id": ID, "tags": {"läuf": "日本"}}
    out, err = program("status", ID, "--json").communicate()
    assert json.loads(out)["tags"] == {"läuf": "日本"}
    service.fails("GET /jobs", problem(404, "The model 'größe' is not here."))
    out, err = program("status", ID).communicate()
    assert b"The model 'gr\\xf6\\xdfe' is not here." in err


@pytest.mark.parametrize(
    ("closed", "code"),
    [("2>&-", 0), (">&-", 2), ("-o out.csv <&- >&- 2>&-", 0)],
    ids=["errors", "output", "all"],
)
def test_messages_never_get_into_a_result_if_a_stream_is_closed(
    service: FakeService, table: Path, closed: str, code: int
) -> None:
    """Python has None for a closed standard error, and `print` then writes to standard output."""
    command = f"{sys.executable} -m rowcast.cli predict in.csv {closed}"
    done = subprocess.run(["bash", "-c", command], cwd=table.parent, capture_output=True, check=False)
    assert done.returncode == code
    assert done.stdout == (service.result if closed == "2>&-" else b"")
    assert b"Traceback" not in done.stderr
    if "out.csv" in closed:
        assert (table.parent / "out.csv").read_bytes() == service.result


def test_ctrl_c_while_the_program_is_loaded_shows_no_stack_trace(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    slow = f"import os, signal, time\nopen({str(ready)!r}, 'w').close()\nos.kill(os.getpid(), signal.SIGINT)"
    (tmp_path / "typer.py").write_text(slow)
    command = [sys.executable, "-c", "from rowcast.cli.__main__ import run; run()"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, b"", b"")
    assert ready.exists()
