"""The check of a file before it is sent: by HTTP, by the client and on the command line."""

import gzip
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest
from programs import ROOT, Stack, http_client
from scored import submit, wait

from rowcast import Client
from rowcast.cli.main import main
from rowcast.jobs.check.file_sample import SAMPLE_BYTES, SAMPLE_ROWS

TITANIC = ROOT / "training" / "data" / "titanic.csv"


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with http_client(stack.url, timeout=90) as http:
        yield http


def check(http: httpx.Client, body: bytes, headers: dict[str, str] | None = None, **options: object) -> dict:
    response = http.post(
        "/predict",
        content=body,
        headers={"Content-Type": "text/csv", **(headers or {})},
        params={"dry_run": "true", **options},
    )
    assert response.status_code == 200, response.text
    return response.json()


def test_a_check_says_what_the_file_would_give_and_leaves_no_job(client: httpx.Client, stack: Stack) -> None:
    jobs_before = [job["id"] for job in client.get("/jobs").json()["jobs"]]
    found = check(client, TITANIC.read_bytes())
    table = pd.read_csv(TITANIC)
    assert (found["ok"], found["problem"], found["warnings"], found["fixes"]) == (True, None, [], [])
    assert found["model"]["name"] == "titanic"
    assert (found["delimiter"], found["decimal"], found["encoding"], found["header"]) == (",", ".", "utf-8", True)
    assert set(found["columns"]["matched"]) == {"age", "pclass"}
    assert found["columns"]["missing"] == []
    assert set(found["columns"]["carried"]) == set(table.columns) - {"age", "pclass"}
    assert {one["name"]: (one["kind"], one["seen"], one["fits"]) for one in found["types"]} == {
        "age": ("number", "numbers", True),
        "pclass": ("number", "whole numbers", True),
    }
    id = submit(client, "titanic", TITANIC.read_bytes(), output="predictions")
    assert wait(client, id)["status"] == "succeeded"
    predictions = client.get(f"/jobs/{id}/result").text.split()[1:]
    assert [(one["row"], str(one["prediction"])) for one in found["sample"]] == [
        (row, predictions[row - 1]) for row in range(1, 11)
    ]
    assert found["expected"]["rows"] == len(table)
    client.delete(f"/jobs/{id}")
    assert [job["id"] for job in client.get("/jobs").json()["jobs"]] == jobs_before
    stack.audit()


@pytest.mark.parametrize("is_cut_by_the_sender", [True, False])
def test_a_long_file_is_checked_by_its_first_mebibyte(client: httpx.Client, is_cut_by_the_sender: bool) -> None:
    body = b"age,pclass\n" + b"25.5,3\n" * 1_000_000
    headers = {}
    if is_cut_by_the_sender:
        headers["Content-Range"] = f"bytes 0-{SAMPLE_BYTES - 1}/{len(body)}"
    found = check(client, body[:SAMPLE_BYTES] if is_cut_by_the_sender else body, headers)
    assert found["ok"]
    assert found["expected"]["rows"] == pytest.approx(1_000_000, rel=0.001)


def test_a_cut_gzip_is_checked_too(client: httpx.Client) -> None:
    lines = "".join(f"{number / 7!r},{number % 3 + 1}\n" for number in range(200_000))
    packed = gzip.compress(f"age,pclass\n{lines}".encode())
    beginning = packed[: SAMPLE_BYTES // 2]
    found = check(client, beginning, {"Content-Range": f"bytes 0-{len(beginning) - 1}/{len(packed)}"})
    assert found["ok"], found
    assert found["expected"]["rows"] is None, "the length of the CSV is not known"


def test_misspelt_columns_are_named_with_the_nearest(client: httpx.Client) -> None:
    found = check(client, b"Age,p_class,name\n25,3,Ann\n")
    assert not found["ok"]
    assert found["columns"] == {
        "matched": [],
        "missing": [{"name": "age", "nearest": "Age"}, {"name": "pclass", "nearest": "p_class"}],
        "carried": ["Age", "p_class", "name"],
    }
    assert found["problem"]["type"] == "urn:rowcast:problem:missing-columns"
    assert found["sample"] == []


def test_decimal_commas_are_found_and_the_fix_works(client: httpx.Client) -> None:
    body = b"age;pclass\n25,5;3\n31,5;1\n"
    found = check(client, body)
    assert (found["ok"], found["delimiter"]) == (False, ";")
    assert [row["row"] for row in found["bad_rows"]] == [1, 2]
    assert {one["name"]: one["fits"] for one in found["types"]} == {"age": False, "pclass": True}
    (fix,) = found["fixes"]
    assert (fix["option"], fix["value"]) == ("decimal", ",")
    mended = check(client, body, decimal=",")
    assert (mended["ok"], mended["fixes"], len(mended["sample"])) == (True, [], 2)


def test_windows_letters_are_found_and_the_fix_works(client: httpx.Client) -> None:
    body = "age,pclass,name\n25,3,Jörg\n".encode("cp1252")
    found = check(client, body)
    assert (found["ok"], found["problem"]["type"]) == (False, "urn:rowcast:problem:not-utf8")
    (fix,) = found["fixes"]
    assert (fix["option"], fix["value"]) == ("encoding", "windows-1252")
    assert check(client, body, encoding="windows-1252")["ok"]


def test_a_delimiter_that_is_wrong_is_found_and_the_fix_works(client: httpx.Client) -> None:
    body = b"age;pclass\n25;3\n"
    (fix,) = check(client, body, delimiter=",")["fixes"]
    assert (fix["option"], fix["value"]) == ("delimiter", ";")
    assert check(client, body, delimiter=";")["ok"]
    (fix,) = check(client, body.replace(b";", b"\t"), delimiter=";")["fixes"]
    assert check(client, body.replace(b";", b"\t"), delimiter=fix["value"])["ok"]
    assert check(client, b"a;b\n25;3\n", delimiter=",")["fixes"] == []


def test_a_check_is_not_a_job_to_reuse(client: httpx.Client) -> None:
    body = b"age,pclass\n25,3\n26,3\n27,1\n"
    wanted = {"reuse": "true", "output": "predictions"}
    assert check(client, body, **wanted)["ok"]
    made = client.post("/predict", content=body, headers={"Content-Type": "text/csv"}, params=wanted)
    assert made.status_code == 202
    assert check(client, body, **wanted)["ok"]
    job = wait(client, made.json()["id"])
    assert job["status"] == "succeeded"
    again = client.post("/predict", content=body, headers={"Content-Type": "text/csv"}, params=wanted)
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    client.delete(f"/jobs/{job['id']}")


def test_some_bad_rows_are_a_warning(client: httpx.Client) -> None:
    found = check(client, b"age,pclass\n25,3\nold,3\n31,1,9\n40,2\n")
    assert found["ok"]
    assert [(row["row"], row["column"]) for row in found["bad_rows"]] == [(2, "age"), (3, "")]
    assert [row["row"] for row in found["sample"]] == [1, 4]
    assert [warning["type"] for warning in found["warnings"]] == ["bad-rows"]
    assert found["warnings"][0]["message"] == "2 of the first 4 rows could not be predicted"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "empty-file"),
        (b"age,pclass\n", "empty-file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 64, "not-text"),
        (b'age,pclass\n25,"3\n', "csv-syntax"),
    ],
)
def test_a_file_that_would_be_refused_gets_the_same_problem(client: httpx.Client, body: bytes, problem: str) -> None:
    found = check(client, body)
    sent = client.post("/predict", content=body, headers={"Content-Type": "text/csv"}).json()
    assert (found["ok"], found["problem"]["type"]) == (False, f"urn:rowcast:problem:{problem}")
    assert found["problem"]["detail"] == sent["detail"]


def test_forms_and_json_are_checked_too(client: httpx.Client, stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text("age,pclass\n25,3\n")
    form = ["curl", "-s", "-F", f"file=@{file}", "-F", "dry_run=true", f"{stack.url}/predict"]
    in_form = json.loads(subprocess.run(form, capture_output=True, check=True).stdout)
    in_json = client.post("/predict", json={"instances": [[25, 3]], "dry_run": True}).json()
    one_row = client.post("/predict", json={"features": {"age": 25, "pclass": 3}, "dry_run": True}).json()
    for found in (in_form, in_json, one_row):
        assert (found["ok"], found["sample"]) == (True, [{"row": 1, "prediction": 0}])


@pytest.mark.parametrize("options", [{"dry_run": "maybe"}, {"no_such": "option"}, {"model": "no-such-model"}])
def test_a_wrong_option_is_an_error_as_without_the_check(client: httpx.Client, options: dict[str, str]) -> None:
    response = client.post("/predict", content=b"age,pclass\n25,3\n", params={"dry_run": "true", **options})
    assert response.status_code in (404, 422)
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_file_that_would_fail_because_of_its_bad_rows_does_not_fit(client: httpx.Client) -> None:
    body = b"age,pclass\n25,3\nold,3\n"
    assert check(client, body)["ok"]
    assert not check(client, body, on_error="fail")["ok"]
    assert not check(client, body, max_errors=0)["ok"]
    assert check(client, body, max_errors=1)["ok"]


def test_odd_input_gives_an_answer(client: httpx.Client) -> None:
    digits = b"1" * 5_000
    assert not check(client, b"age,pclass\n" + digits + b",3\n")["ok"]
    packed = gzip.compress(b"age,pclass\n" + b"25,3\n" * 3_000)
    assert check(client, packed)["expected"]["rows"] == 3_000
    many = [{"age": 25, "pclass": 3}] * 3_000
    found = client.post("/predict", json={"instances": many, "dry_run": True}).json()
    assert (found["ok"], found["expected"]["rows"]) == (True, 3_000)
    unknown = client.post("/predict", json={"features": {"age": 25, "pclass": 3, "x": 1}, "dry_run": True})
    assert unknown.status_code == 422
    twice = client.post("/predict?dry_run=false", json={"features": [25, 3], "dry_run": True})
    assert twice.status_code == 422
    twice_packed = gzip.compress(gzip.compress(b"age,pclass\n25,3\n"))
    headers = {"Content-Range": f"bytes 0-{len(twice_packed) - 1}/999999"}
    assert check(client, twice_packed, headers)["problem"]["type"].endswith("broken-compression")


def test_a_content_range_that_is_not_the_beginning_is_refused(client: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv", "Content-Range": "bytes 5-9/20"}
    response = client.post("/predict", content=b"25,3\n", headers=headers, params={"dry_run": "true"})
    assert response.status_code == 422
    assert "Content-Range" in response.json()["detail"]


def test_without_workers_the_check_says_so(gateway: Stack) -> None:
    with http_client(gateway.url, timeout=90) as http:
        jobs_before = http.get("/jobs").json()["jobs"]
        found = check(http, b"age,pclass\n25,3\n")
        assert (found["ok"], found["problem"], found["sample"]) == (False, None, [])
        assert [warning["type"] for warning in found["warnings"]] == ["not-scored"]
        assert http.get("/jobs").json()["jobs"] == jobs_before


def test_the_client_sends_only_the_beginning(stack: Stack, tmp_path: Path) -> None:
    big = tmp_path / "big.csv"
    big.write_bytes(b"age,pclass\n" + b"25,3\n" * 3_000_000)
    with Client(stack.url) as client:
        found = client.check(big)
        assert (found.ok, len(found.sample)) == (True, 10)
        assert found.expected["rows"] == pytest.approx(3_000_000, rel=0.001)
        assert client.check(b"age;pclass\n25,5;3\n", decimal=",").ok
        assert client.check(b"x\n1\n").columns["missing"][0]["name"] == "age"


def test_the_command_shows_what_to_do(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "in.csv"
    file.write_text("age;pclass\n25,5;3\n")
    command = ["check", str(file), "--url", stack.url]
    assert main(command) == 1
    shown = capsys.readouterr().out
    assert f"{file} does not fit titanic@" in shown
    assert "Try --decimal ," in shown
    assert main([*command, "--decimal", ","]) == 0
    shown = capsys.readouterr().out
    assert f"{file} fits titanic@" in shown
    assert "but has bad rows" not in shown
    assert "prediction 0" in shown
    assert main([*command, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["ok"] is False
    file.write_text("age,pclass\n25,3\nold,3\n")
    assert main(command) == 0
    assert ", but has bad rows.\n" in capsys.readouterr().out
    file.write_bytes("näme,age,pclass\nÉva,25,3\n".encode("windows-1252"))
    assert main(command) == 1
    shown = capsys.readouterr().out
    assert "send --encoding windows-1252" in shown
    assert "encoding=" not in shown
    assert main(["predict", str(file), "--url", stack.url, "--prediction-column", "age", "--encoding", "latin-1"]) == 2
    assert "--prediction-column" in capsys.readouterr().err


def test_a_sample_is_a_chunk_as_every_other_is() -> None:
    assert SAMPLE_ROWS % 64 == 0, "a linear model then predicts the same in the last bit"
