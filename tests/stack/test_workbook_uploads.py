"""Excel workbooks as uploads: a worker converts the first sheet."""

import io
import zipfile
from typing import Any

import httpx
import pytest
from programs import Stack
from workbooks import XLSX, workbook

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


def predicted(client: httpx.Client, content: bytes, headers: dict[str, str] = XLSX) -> dict[str, Any]:
    sent = client.post("/predict?wait=60", content=content, headers=headers)
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
