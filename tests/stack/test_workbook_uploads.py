"""Excel workbooks as uploads: a worker converts the first sheet."""

import csv
import hashlib
import io
import json
import pickle
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest
import sklearn
from programs import Stack
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder
from workbooks import XLSX, workbook

from rowcast.cli.main import main
from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage

ROWS = [["name", "age", "pclass"], ["Ann", 25.5, 3], ["Bob", None, 1], [None, 40, 2]]


FILE = workbook(*ROWS)


def zipped(**files: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", b"<Types/>")
        for name, data in files.items():
            archive.writestr(name.replace("__", "/") + ".xml", data)
    return file.getvalue()


FAR = b'<worksheet><dimension ref="A1:XFD1048576"/><sheetData/></worksheet>'


def predicted(
    client: httpx.Client, content: bytes, headers: dict[str, str] = XLSX, **options: object
) -> dict[str, Any]:
    sent = client.post("/predict", content=content, headers=headers, params={"wait": 60, **options})
    assert sent.status_code == 200, sent.text
    job: dict[str, Any] = sent.json()
    return job


@pytest.mark.parametrize("headers", [XLSX, {"Content-Type": "application/vnd.ms-excel"}], ids=["xlsx", "by its bytes"])
def test_a_workbook_is_predicted(stack: Stack, client: httpx.Client, headers: dict[str, str]) -> None:
    headers = {**headers, "Content-Disposition": 'attachment; filename="trip.xlsx"'}
    job = predicted(client, FILE, headers)
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", 0), job
    assert (job["input"]["format"], job["input"]["columns"]) == ("xlsx", ["name", "age", "pclass"])
    result = client.get(f"/jobs/{job['id']}/result")
    assert result.headers["Content-Disposition"] == "attachment; filename=trip-predictions.csv"
    kept = [line.rpartition(",")[0] for line in result.text.splitlines()]
    assert kept == ["name,age,pclass", "Ann,25.5,3", "Bob,,1", ",40,2"]
    stack.audit()


@pytest.fixture(scope="module")
def towns(stack: Stack) -> Pipeline:
    """A model with a feature of text, which is registered as `towns`."""
    sample = pd.DataFrame({"town": ["Aix", "Bonn", "12", "Rome"] * 20})
    labels = ["south", "north", "code", "south"] * 20
    model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(sample, labels)
    draft = Draft(
        task="classification",
        features=[Feature(name="town", kind="text", missing=False)],
        classes=list(model.classes_),
        libraries={"python": "3", "scikit-learn": str(sklearn.__version__)},
    )
    Registry(Storage(str(stack.models))).register("towns", pickle.dumps(model), draft)
    return model


def test_a_retyped_cell_is_a_bad_row_that_can_be_corrected(
    stack: Stack, client: httpx.Client, towns: Pipeline, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = workbook(["id", "town"], ["007", "Aix"], ["008", 12], ["009", 'say "Bonn"'])
    job = predicted(client, file, model="towns")
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", 1), job["error"]
    path, id = f"/jobs/{job['id']}", job["id"]
    (error,) = csv.DictReader(client.get(f"{path}/errors").text.splitlines())
    assert (error["row"], error["column"], error["value"]) == ("2", "town", "12")
    assert error["message"].startswith("a number in the workbook, where the model takes text")
    bad = client.get(f"{path}/errors?as=input").content
    assert client.post(f"{path}/repair", files={"file": ("bad.csv", bad)}).status_code == 202
    job = client.get(f"{path}?wait=60").json()
    assert (job["status"], job["repairs"], job["progress"]["rows_failed"]) == ("succeeded", 1, 0)
    result = pd.read_csv(io.BytesIO(client.get(f"{path}/result").content), dtype=str)
    assert result["id"].tolist() == ["007", "008", "009"]
    assert result["prediction"].tolist() == towns.predict(result[["town"]]).tolist()
    assert result["town"][1] == "12"
    assert client.post(f"{path}/repair", files={"file": ("bad.csv", bad)}).json()["repairs"] == 1, "it is so already"

    receipt = client.get(f"{path}/receipt").json()
    assert receipt["input"]["sha256"] == hashlib.sha256(file).hexdigest()
    assert receipt["counts"] == {"rows": 3, "predicted": 3, "bad": 0}
    (tmp_path / "in.xlsx").write_bytes(file)
    (tmp_path / "out.csv").write_bytes(client.get(f"{path}/result").content)
    (tmp_path / "receipt.json").write_text(json.dumps(receipt))
    files = ["--input", str(tmp_path / "in.xlsx"), "--result", str(tmp_path / "out.csv")]
    assert main(["verify", str(tmp_path / "receipt.json"), *files, "--url", stack.url]) == 0, capfd.readouterr()
    assert client.delete(path).status_code == 204
    assert not [name for name in stack.files() if id in name]


def test_the_same_workbook_again_gives_the_earlier_job(stack: Stack, client: httpx.Client) -> None:
    def send(content: bytes, **options: object) -> httpx.Response:
        return client.post("/predict", content=content, headers=XLSX, params={"wait": 60, "reuse": "true", **options})

    file = workbook(*ROWS, ["Cid", time.time_ns() % 80, 3])
    first = send(file)
    files = stack.files()
    again = send(file, tags="run:nightly")
    assert (again.status_code, again.headers["Job-Reused"]) == (200, "true")
    assert again.json()["id"] == first.json()["id"]
    assert stack.files() == files, "nothing is left of the file that was sent again"
    for other in (send(workbook(*ROWS, ["Dan", 7, 3])), send(file, output="predictions")):
        assert "Job-Reused" not in other.headers
        assert other.json()["status"] == "succeeded"


WRONG = {
    "empty": (workbook(), "empty-file", "has no columns"),
    "no rows": (workbook(ROWS[0]), "empty-file", "has a header line and no rows"),
    "missing column": (workbook(["name", "Age"], ["Ann", 3]), "missing-columns", "the nearest column is 'Age'"),
    "cut off": (FILE[:-500], "broken-file", "cannot be read"),
    "Word": (zipped(word__document=b"<w/>"), "broken-file", "is not an Excel workbook"),
    "too many cells": (zipped(xl__workbook=b"<w/>", xl__worksheets__sheet1=FAR), "too-large", "number of cells"),
    "a bomb": (zipped(xl__workbook=b"<w/>", xl__worksheets__sheet1=bytes(40_000_000)), "broken-file", "250 times"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_workbook_fails_its_job(stack: Stack, client: httpx.Client, name: str) -> None:
    content, type, words = WRONG[name]
    job = predicted(client, content)
    assert job["status"] == "failed"
    assert job["error"]["type"] == f"urn:rowcast:problem:{type}", job["error"]
    assert words in job["error"]["detail"]
    stack.audit()


def test_an_old_workbook_is_refused_with_a_remedy(client: httpx.Client) -> None:
    sent = client.post("/predict", content=b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), headers=XLSX)
    assert sent.status_code == 422
    assert "save it as .xlsx without a password" in sent.json()["detail"]
