"""The check of Parquet files and Excel workbooks, which a worker reads: by HTTP, the client and the command line."""

import gzip
import io
import json
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from parquet_files import FEW, PARQUET, parquet, passengers
from programs import ROOT, Stack, http_client
from scored import submit, wait
from workbooks import XLSX, workbook

from api.app import create_app
from api.services import Services
from rowcast import AsyncClient, Client
from rowcast.cli.main import main
from rowcast.client import WrongUse
from rowcast.jobs.check.file_sample import SAMPLE_ROWS
from rowcast.jobs.check.found_table import CHECKED_SOURCE_BYTES
from rowcast.settings import Settings

TITANIC = pd.read_csv(ROOT / "training" / "data" / "titanic.csv")
TYPES = {"parquet": PARQUET, "xlsx": XLSX}
FORMATS = pytest.mark.parametrize("format", TYPES)


@cache
def table_as(format: str) -> bytes:
    """Returns the table as a file in the format."""
    if format == "parquet":
        return parquet(TITANIC)
    return workbook(list(TITANIC), *TITANIC.astype(object).where(TITANIC.notna(), None).to_numpy().tolist())


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with http_client(stack.url, timeout=90) as http:
        yield http


def check(http: httpx.Client, body: bytes, headers: dict[str, str] = PARQUET, **options: object) -> dict[str, Any]:
    response = http.post("/predict", content=body, headers=headers, params={"dry_run": "true", **options})
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


@FORMATS
def test_a_check_says_what_that_of_the_same_csv_says_and_leaves_nothing(
    client: httpx.Client, stack: Stack, format: str
) -> None:
    before = stack.files()
    found = check(client, table_as(format), TYPES[format])
    of_csv = check(client, TITANIC.to_csv(index=False).encode(), {"Content-Type": "text/csv"})
    assert (found.pop("format"), of_csv.pop("format")) == (format, "csv")
    assert found == of_csv
    assert (found["ok"], len(found["sample"]), found["expected"]["rows"]) == (True, 10, len(TITANIC))
    assert stack.files() == before
    stack.audit()


def test_only_the_first_rows_of_a_long_file_are_converted(client: httpx.Client, stack: Stack) -> None:
    file = parquet(passengers(5_000), row_group_size=700)
    found = check(client, file, key="name", output="predictions", on_error="column", prediction_column="p")
    assert (found["ok"], found["expected"]["rows"]) == (True, 5_000)
    assert found["columns"]["carried"] == ["name"]
    converted = [
        line for line in map(json.loads, stack.log("worker").splitlines()) if line["event"] == "file_converted"
    ]
    assert converted[-1]["rows"] == SAMPLE_ROWS
    id = submit(client, "titanic", file, output="predictions")
    assert wait(client, id)["status"] == "succeeded"
    predictions = client.get(f"/jobs/{id}/result").text.split()[1:11]
    assert [str(one["prediction"]) for one in found["sample"]] == predictions


WRONG = {
    "missing column": (parquet(FEW[["name", "age"]].rename(columns={"age": "Age"})), PARQUET),
    "no rows": (parquet(FEW[:0]), PARQUET),
    "damaged": (parquet(FEW[:9])[:-100], PARQUET),
    "lists": (parquet(FEW[:5].assign(age=[[1, 2]] * 5)), PARQUET),
    "text": (parquet(FEW[:5].assign(age=["a"] * 5)), PARQUET),
    "added column": (parquet(FEW[:5].assign(prediction=1)), PARQUET),
    "an empty sheet": (workbook(), XLSX),
    "a word in a workbook": (workbook(["age", "pclass"], ["old", 3]), XLSX),
    "a cut gzip": (gzip.compress(parquet(FEW))[:-9], PARQUET),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_gets_the_problem_of_its_job(client: httpx.Client, name: str) -> None:
    body, headers = WRONG[name]
    found = check(client, body, headers)
    sent = client.post("/predict?wait=60", content=body, headers=headers).json()
    problem = sent.get("error") or sent
    assert not found["ok"]
    assert (found["problem"]["type"], found["problem"]["detail"]) == (problem["type"], problem["detail"])


def test_misspelt_columns_are_named_with_the_nearest(client: httpx.Client) -> None:
    found = check(client, parquet(FEW[:9].rename(columns={"age": "Age"})))
    assert found["columns"] == {
        "matched": ["pclass"],
        "missing": [{"name": "age", "nearest": "Age"}],
        "carried": ["name", "Age"],
    }
    assert "delimiter" not in found["problem"]["detail"], "the file has none"


def test_bad_cells_are_listed(client: httpx.Client) -> None:
    found = check(client, workbook(["age", "pclass"], [25, 3], ["old", 3], [None, 1], [40, "n/a"]), XLSX)
    assert found["ok"]
    assert [(row["row"], row["column"], row["value"]) for row in found["bad_rows"]] == [(2, "age", "old")]
    assert found["warnings"][0]["message"] == "1 of the first 4 rows could not be predicted"
    assert {one["name"]: (one["seen"], one["fits"]) for one in found["types"]} == {
        "age": ("text", False),
        "pclass": ("whole numbers", True),
    }


@FORMATS
def test_curl_checks_it_as_a_form(stack: Stack, tmp_path: Path, format: str) -> None:
    file = tmp_path / f"in.{format}"
    file.write_bytes(table_as(format))
    form = ["curl", "-sS", "-F", f"file=@{file}", "-F", "dry_run=true", f"{stack.url}/predict"]
    found = json.loads(subprocess.run(form, capture_output=True, check=True).stdout)
    assert (found["ok"], found["format"]) == (True, format)


def test_what_a_check_cannot_take_is_refused_with_the_remedy(client: httpx.Client, stack: Stack) -> None:
    before = stack.files()
    for options, headers, words in (
        ({"delimiter": ";"}, {}, "is only for CSV files"),
        ({}, {"Content-Range": "bytes 0-99/1000"}, "send the whole file"),
    ):
        sent = client.post(
            "/predict",
            content=table_as("parquet"),
            headers={**PARQUET, **headers},
            params={"dry_run": "true", **options},
        )
        assert (sent.status_code, words in sent.json()["detail"]) == (422, True), sent.text
    large = client.post("/predict?dry_run=true", content=b"PAR1" + bytes(CHECKED_SOURCE_BYTES), headers=PARQUET)
    assert (large.status_code, "send it without the check" in large.json()["detail"]) == (413, True), large.text
    assert stack.files() == before


@pytest.mark.parametrize(
    ("workers", "words"), [(0, "no worker is online"), (1, "no worker did so within 0.1 s")], ids=["none", "a busy one"]
)
def test_a_check_that_no_worker_makes_says_so_and_leaves_nothing(
    settings: Settings, trained: Path, monkeypatch: pytest.MonkeyPatch, workers: int, words: str
) -> None:
    monkeypatch.setattr("api.checking.file_check.CONVERT_SECONDS", 0.1)
    app = create_app(settings.model_copy(update={"models": str(trained)}))
    services: Services = app.extensions["rowcast"]
    for number in range(workers):
        services.workers.heartbeat(f"busy{number}", 1)
    answer = app.test_client().post("/predict?dry_run=true", data=table_as("xlsx"), headers=XLSX)
    found = answer.get_json()
    assert (found["ok"], found["problem"], found["sample"], found["expected"]["rows"]) == (False, None, [], None)
    assert found["warnings"] == [{"type": "not-scored", "message": f"The first rows were not predicted: {words}."}]
    assert not list(Path(settings.store).glob("jobs/*/*"))
    assert [job.id for job in services.jobs.page(10)[0]] == []


@FORMATS
@pytest.mark.anyio
async def test_both_clients_send_the_whole_file(stack: Stack, tmp_path: Path, format: str) -> None:
    file = tmp_path / f"in.{format}"
    file.write_bytes(table_as(format))
    async with AsyncClient(stack.url) as client:
        found = await client.check(file)
    assert (found.ok, found.format, len(found.sample)) == (True, format, 10)
    with Client(stack.url) as blocking:
        for source in (table_as(format), io.BytesIO(table_as(format))):
            assert blocking.check(source).raw == found.raw, "without a name, the first bytes say what it is"


def test_the_client_refuses_a_file_that_is_too_large_to_check(tmp_path: Path) -> None:
    with (tmp_path / "in.parquet").open("wb") as file:
        file.truncate(CHECKED_SOURCE_BYTES + 1)
    with Client("http://127.0.0.1:1") as client, pytest.raises(WrongUse, match="Send it without the check"):
        client.check(tmp_path / "in.parquet")


def test_the_command_shows_what_to_do(stack: Stack, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "in.xlsx"
    file.write_bytes(workbook(["Age", "pclass"], [25, 3]))
    assert main(["check", str(file), "--url", stack.url]) == 1
    shown = capsys.readouterr().out
    assert re.search(r"about 1 row\b", shown)
    assert "Excel workbook, first sheet" in shown
    assert "age (the nearest is Age)" in shown
    file.write_bytes(workbook(["age", "pclass"], [25, 3]))
    assert main(["check", str(file), "--url", stack.url]) == 0
    assert "prediction 0" in capsys.readouterr().out
