"""Batches of a gateway without workers: what is refused, and what has not begun."""

import json

import httpx
import pytest
from refusals import refused

LINE = {"custom_id": "a", "method": "POST", "url": "/predict", "body": {"model": "titanic", "features": [25, 3]}}


def batch_of(http: httpx.Client, *lines: object, **others: object) -> httpx.Response:
    content = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    file = http.post("/v1/files", data={"purpose": "batch"}, files={"file": ("rows.jsonl", content)})
    assert file.status_code == 200, file.text
    asked = {"input_file_id": file.json()["id"], "endpoint": "/predict", "completion_window": "24h", **others}
    return http.post("/v1/batches", json=asked)


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        (" \n\n", 422, "has no requests"),
        ("\n{", 422, "line 2: is not JSON"),
        ("[]", 422, "line 1: is not a JSON object"),
        ({"custom_id": "a"}, 422, "lacks body, method, url"),
        ({**LINE, "more": 1}, 422, "unknown member 'more'"),
        ({**LINE, "custom_id": ""}, 422, "custom_id"),
        ({**LINE, "custom_id": "a\0"}, 422, "custom_id"),
        ({**LINE, "url": "/v1/embeddings"}, 422, 'the url \\"/predict\\"'),
        ({**LINE, "body": [25, 3]}, 422, "a body that is not an object"),
        ({**LINE, "body": {"model": "titanik", "features": [25, 3]}}, 404, "the nearest is 'titanic'"),
        ({**LINE, "body": {"model": "titanic,titanic@1", "features": [1, 1]}}, 422, "names two models"),
        ({**LINE, "body": {"features": [1, 1], "output": "joined"}}, 422, "body.output"),
        ({**LINE, "body": {"features": [1, 1], "top": 9}}, 422, "top"),
        ("x" * 70_000, 413, "A line is over the limit of 65536"),
        ("\n" * 70_000 + json.dumps(LINE), 422, "no request in its first 65,536 bytes"),
        ({**LINE, "body": {"features": [1, 1], "threshold": "0.3" + " " * 5_000}}, 422, "over 4,096 characters"),
    ],
)
def test_a_first_line_that_does_not_fit_makes_no_batch(
    http: httpx.Client, line: object, status: int, words: str
) -> None:
    problem = refused(batch_of(http, line), status, words)
    error = problem["error"]
    assert (error["message"], error["type"]) == (problem["detail"], "invalid_request_error")
    assert problem["type"].endswith(f":{error['code']}")


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"endpoint": "/v1/embeddings"}, "endpoint: must be /predict"),
        ({"completion_window": "soon"}, "expires_in"),
        ({"completion_window": "24h" + " " * 100}, "completion_window: is over 32 characters"),
        ({"completion_window": None}, "input_file_id, endpoint and completion_window"),
        ({"metadata": {"a": 1}}, "metadata"),
        ({"metadata": {"a" * 65: "1"}}, "metadata"),
        ({"output_expires_after": {"anchor": "created_at", "seconds": 3600}}, "the operator's retention counts"),
        ({"model": "titanic"}, "model: is unknown"),
    ],
)
def test_a_batch_that_asks_for_what_there_is_not_is_refused(http: httpx.Client, others: dict, words: str) -> None:
    refused(batch_of(http, LINE, **others), 422, words)


def test_files_that_are_not_sent_as_they_should_be_are_refused(http: httpx.Client) -> None:
    file = {"file": ("rows.jsonl", b"{}")}
    refused(http.post("/v1/files", data={"purpose": "fine-tune"}, files=file), 422, "purpose: must be batch")
    refused(http.post("/v1/files", files=file), 422, "purpose")
    later = {"purpose": "batch", "expires_after[seconds]": "60"}
    refused(http.post("/v1/files", data=later, files=file), 422, "not supported")
    refused(http.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a", b"")}), 422, "has no bytes")
    refused(http.post("/v1/files", content=b"{}", headers={"Content-Type": "application/json"}), 415, "form-data")
    odd = {"file": ("x" * 300 + "\u2028rows.jsonl", b"{}")}
    named = http.post("/v1/files", data={"purpose": "batch"}, files=odd).json()
    assert (len(named["filename"]), named["filename"][-11:]) == (255, "xrows.jsonl")
    assert http.get(f"/v1/files/{named['id']}/content").content == b"{}"
    for path in ("/v1/files?limit=0", "/v1/files?order=up", "/v1/batches?limit=x", "/v1/batches?after=1"):
        refused(http.get(path), 422)


def test_a_batch_that_waits_has_no_files_and_can_be_cancelled(http: httpx.Client) -> None:
    batch = batch_of(http, LINE).json()
    assert batch["status"] == "validating"
    job = batch["id"].removeprefix("batch_")
    assert refused(http.get(f"/v1/files/file-{job}-output/content"), 409)["error"]["code"] == "job-unfinished"
    assert refused(http.delete(f"/v1/files/file-{job}-output"), 422, f"DELETE /jobs/{job}")
    newer = batch_of(http, LINE).json()
    page = http.get("/v1/batches?limit=1").json()
    assert ([one["id"] for one in page["data"]], page["has_more"]) == ([newer["id"]], True)
    page = http.get("/v1/batches", params={"limit": 1, "after": page["last_id"]}).json()
    assert [one["id"] for one in page["data"]] == [batch["id"]]
    cancelled = http.post(f"/v1/batches/{batch['id']}/cancel").json()
    assert (cancelled["status"], cancelled["output_file_id"], cancelled["error_file_id"]) == ("cancelled", None, None)
    assert cancelled["cancelled_at"] >= cancelled["created_at"]
    row = http.post("/predict", json={"features": [25, 3]}).json()["id"]
    refused(http.get(f"/v1/batches/{row}"), 404, "not found")
    refused(http.post(f"/v1/batches/{row}/cancel"), 404, "not found")
    refused(http.get(f"/v1/files/file-{row}-output"), 404, "not found")
    for id in (row, job, newer["id"].removeprefix("batch_")):
        http.delete(f"/jobs/{id}")
