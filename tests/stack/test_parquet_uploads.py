"""Parquet files as uploads: a worker converts them, and the result is that of the same rows as CSV."""

import gzip
import hashlib
import io
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
from parquet_files import FEW, FILE, FRAME, PARQUET, SMALL, parquet
from programs import Stack

from rowcast import Client
from rowcast.cli.main import main

CSV = {"Content-Type": "text/csv"}


def predicted(
    client: httpx.Client, content: bytes, headers: dict[str, str] = PARQUET, **options: Any
) -> dict[str, Any]:
    sent = client.post("/predict", params={"wait": 60, **options}, content=content, headers=headers)
    assert sent.status_code == 200, sent.text
    job: dict[str, Any] = sent.json()
    return job


def test_a_parquet_file_is_predicted_as_the_csv_is(stack: Stack, client: httpx.Client) -> None:
    headers = {**PARQUET, "Content-Disposition": 'attachment; filename="trip.parquet"'}
    job = predicted(client, FILE, headers, tags="run:1")
    of_csv = predicted(client, FRAME.to_csv(index=False).encode(), CSV)
    result = client.get(f"/jobs/{job['id']}/result")
    assert result.text == client.get(f"/jobs/{of_csv['id']}/result").text
    assert result.headers["Content-Disposition"] == "attachment; filename=trip-predictions.csv"
    for name in ("rows_total", "rows_done", "rows_failed", "fraction"):
        assert job["progress"][name] == of_csv["progress"][name]
    assert (job["result"], job["error"], job["tags"]) == (of_csv["result"], None, {"run": "1"})
    found = {name: job["input"][name] for name in ("format", "bytes", "sha256", "columns")}
    digest = hashlib.sha256(FILE).hexdigest()
    assert found == {"format": "parquet", "bytes": len(FILE), "sha256": digest, "columns": ["name", "age", "pclass"]}
    assert job["cost"]["chunks"] == job["cost"]["attempts"] == of_csv["cost"]["chunks"]
    assert not [name for name in stack.files() if f"{job['id']}/source" in name], "it is removed when it is converted"
    stack.audit()
    assert client.delete(f"/jobs/{job['id']}").status_code == 204
    assert not [name for name in stack.files() if job["id"] in name]


def test_a_column_of_lists_comes_back_as_json(client: httpx.Client) -> None:
    job = predicted(client, parquet(FEW[:2].assign(seats=[[1, 2], None])))
    assert job["status"] == "succeeded", job["error"]
    table = pd.read_csv(io.BytesIO(client.get(f"/jobs/{job['id']}/result").content))
    assert table["seats"].tolist()[:1] == ["[1,2]"]
    assert table["prediction"].notna().all()


@pytest.mark.parametrize("packed", [SMALL, gzip.compress(SMALL)], ids=["plain", "gzip"])
def test_its_first_bytes_tell_a_parquet_file(client: httpx.Client, packed: bytes) -> None:
    job = predicted(client, packed, {"Content-Type": "application/octet-stream"}, output="predictions", key="name")
    assert job["input"]["sha256"] == hashlib.sha256(SMALL).hexdigest()
    result = pd.read_csv(io.BytesIO(client.get(f"/jobs/{job['id']}/result").content))
    assert result["name"].tolist()[1:3] == FEW["name"].tolist()[1:3]
    assert len(result) == len(FEW)


def test_curl_sends_it_as_a_form(stack: Stack, client: httpx.Client, tmp_path: Path) -> None:
    file = tmp_path / "in.parquet"
    file.write_bytes(SMALL)
    form = ["-F", f"file=@{file}", "-F", "output=predictions", "-F", "key=name"]
    done = subprocess.run(
        ["curl", "-sS", *form, f"{stack.url}/predict?wait=60"], capture_output=True, text=True, check=True
    )
    job = httpx.Response(200, text=done.stdout).json()
    assert (job["status"], job["input"]["filename"]) == ("succeeded", "in.parquet")
    assert job["options"]["key"] == ["name"]


def test_the_result_can_be_followed(client: httpx.Client) -> None:
    sent = client.post("/predict?follow=true", content=FILE, headers=PARQUET)
    assert sent.status_code == 200, sent.text
    job = predicted(client, FILE)
    assert sent.content == client.get(f"/jobs/{job['id']}/result").content


def test_a_resumable_upload_takes_it(stack: Stack, client: httpx.Client) -> None:
    made = client.post("/uploads", params={"output": "predictions"}, headers=PARQUET)
    assert made.status_code == 201, made.text
    path, half = made.headers["Location"], len(SMALL) // 2
    first = client.patch(path, content=SMALL[:half], headers={"Upload-Offset": "0"})
    assert first.status_code == 204, first.text
    last = {"Upload-Offset": str(half), "Upload-Complete": "?1"}
    sent = client.patch(f"{path}?wait=60", content=SMALL[half:], headers=last)
    assert sent.status_code == 200, sent.text
    job = sent.json()
    assert (job["status"], job["input"]["sha256"]) == ("succeeded", hashlib.sha256(SMALL).hexdigest())
    assert {name.split("/")[2] for name in stack.files() if job["id"] in name} == {
        "header",
        "input",
        "parts",
        "job.json",
    }


WRONG = {
    "missing column": (parquet(FEW[["name", "age"]]), "missing-columns", "'pclass' is missing"),
    "no rows": (parquet(FEW[:0]), "empty-file", "has a header line and no rows"),
    "cut off": (SMALL[:-100], "broken-file", "cannot be read"),
    "only magic": (b"PAR1PAR1", "broken-file", "cannot be read"),
    "lists": (parquet(FEW[:5].assign(age=[[1, 2]] * 5)), "wrong-column-type", "no cell of a table can hold"),
    "text as a number": (parquet(FEW[:5].assign(age=["a"] * 5)), "every-row-bad", "not a number"),
    "boolean as a number": (parquet(FEW[:5].assign(age=True)), "wrong-column-type", "convert the column to numbers"),
    "added column": (parquet(FEW.assign(prediction=1)), "column-clash", "is a column that the result adds"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_file_fails_the_job_with_the_words_of_a_csv(stack: Stack, client: httpx.Client, name: str) -> None:
    content, type, words = WRONG[name]
    job = predicted(client, content)
    assert job["status"] == "failed"
    assert job["error"]["type"] == f"urn:rowcast:problem:{type}"
    assert words in job["error"]["detail"]
    assert client.get(f"/jobs/{job['id']}/result?follow=true").status_code == 409
    stack.audit()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("delimiter", ";", "is only for CSV files"),
        ("decimal", ",", "is only for CSV files"),
        ("encoding", "utf-16", "is only for CSV files"),
        ("header", "false", "is only for CSV files"),
        ("na_values", "-", "a missing value is a null"),
    ],
)
def test_an_option_for_csv_is_refused(stack: Stack, client: httpx.Client, option: str, value: str, words: str) -> None:
    before = stack.files()
    sent = client.post("/predict", params={option: value}, content=SMALL, headers=PARQUET)
    assert sent.status_code == 422, sent.text
    assert sent.json()["errors"][0]["where"] == option
    assert words in sent.json()["detail"]
    assert stack.files() == before


def test_a_csv_that_is_sent_as_parquet_is_refused(client: httpx.Client) -> None:
    sent = client.post("/predict", content=b"age,pclass\n25,3\n", headers=PARQUET)
    assert sent.status_code == 415
    assert "Send a CSV file with `Content-Type: text/csv`" in sent.json()["detail"]


def test_client_and_command_line_send_it_by_its_ending(stack: Stack, tmp_path: Path) -> None:
    file = tmp_path / "in.parquet"
    file.write_bytes(SMALL)
    with Client(stack.url) as client:
        job = client.predict_csv(file, tmp_path / "out.csv")
    assert (job.status, job.raw["input"]["filename"]) == ("succeeded", "in.parquet")
    assert main(["predict", str(file), "--url", stack.url, "-o", str(tmp_path / "cli.csv")]) == 0
    assert (tmp_path / "cli.csv").read_bytes() == (tmp_path / "out.csv").read_bytes()
    assert len((tmp_path / "out.csv").read_text().splitlines()) == len(FEW) + 1
