"""A job's receipt says what was sent and what came back, and no change of either goes unnoticed."""

import gzip
import hashlib
import io
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pandas as pd
from programs import Stack, until
from scored import CSV, WANTED, submit, wait

from rowcast import Client
from rowcast.cli.main import main
from rowcast.jobs.records.redis_keys import key

BAD = CSV.replace(b"\n7\n", b"\nold\n")


def saved(folder: Path, **contents: bytes) -> list[str]:
    """Writes files, and returns the options of `rowcast verify` that name them."""
    found = []
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        found += [f"--{name}", str(folder / name)]
    return found


def test_a_receipt_holds_for_what_was_sent_and_what_came_back(
    kept_stack: Stack, http: httpx.Client, tmp_path: Path, capfd
) -> None:
    kept_stack.start_worker()
    id = submit(http, "fixed", CSV, tags="run:nightly")
    job = wait(http, id)
    answers = list(ThreadPoolExecutor(8).map(lambda _: http.get(f"/jobs/{id}/receipt"), range(8)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1, "byte for byte the same"
    receipt = answers[0].json()
    assert receipt["input"]["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert receipt["result"] == {"bytes": len(WANTED), "sha256": hashlib.sha256(WANTED).hexdigest(), "repairs": 0}
    assert receipt["counts"] == {"rows": 640, "predicted": 640, "bad": 0}
    manifest = http.get("/models/fixed/versions/1").json()
    assert receipt["model"] == {"name": "fixed", "version": "1", "sha256": manifest["sha256"]}
    assert receipt["job"]["finished_at"] == job["finished_at"]
    assert receipt["job"]["tags"] == {"run": "nightly"}
    assert receipt["versions"]["model"]["scikit-learn"]
    assert job["links"]["receipt"] == f"/jobs/{id}/receipt"

    path = str(tmp_path / "receipt.json")
    assert main(["receipt", id, "-o", path, "--url", kept_stack.url]) == 0
    options = saved(
        tmp_path, input=gzip.compress(CSV), result=http.get(f"/jobs/{id}/result").content,
        key=http.get("/receipts/keys").content,
    )  # fmt: skip
    assert main(["verify", path, *options]) == 0, capfd.readouterr()
    assert main(["verify", path, *options[:4], "--url", kept_stack.url]) == 0, capfd.readouterr()


def test_a_receipt_of_a_parquet_file_holds_for_the_file_that_was_sent(
    kept_stack: Stack, http: httpx.Client, tmp_path: Path, capfd
) -> None:
    kept_stack.start_worker(concurrency=1)
    file = io.BytesIO()
    pd.read_csv(io.BytesIO(CSV)).to_parquet(file)
    id = submit(http, "fixed", file.getvalue())
    assert wait(http, id)["status"] == "succeeded"
    receipt = http.get(f"/jobs/{id}/receipt")
    assert receipt.json()["input"]["sha256"] == hashlib.sha256(file.getvalue()).hexdigest()
    options = saved(tmp_path, input=file.getvalue(), result=http.get(f"/jobs/{id}/result").content)
    (tmp_path / "receipt.json").write_bytes(receipt.content)
    assert main(["verify", str(tmp_path / "receipt.json"), *options, "--url", kept_stack.url]) == 0, capfd.readouterr()


def test_a_repair_makes_another_receipt(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    id = submit(http, "fixed", BAD)
    assert wait(http, id)["progress"]["rows_failed"] == 11
    before = http.get(f"/jobs/{id}/receipt").json()
    table = pd.read_csv(io.BytesIO(http.get(f"/jobs/{id}/errors", params={"as": "input"}).content))
    table["age"] = 7
    assert http.post(f"/jobs/{id}/repair", files={"file": ("bad.csv", table.to_csv(index=False))}).status_code == 202
    wait(http, id)
    after = http.get(f"/jobs/{id}/receipt").json()
    assert (before["counts"]["bad"], after["counts"]["bad"]) == (11, 0)
    assert after["result"] == {"bytes": len(WANTED), "sha256": hashlib.sha256(WANTED).hexdigest(), "repairs": 1}
    assert before["input"] == after["input"], "what was sent is still what was sent"


def test_a_job_that_has_not_succeeded_has_no_receipt(kept_stack: Stack, http: httpx.Client) -> None:
    id = submit(http, "fixed")
    answer = http.get(f"/jobs/{id}/receipt")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rowcast:problem:job-unfinished")
    http.post(f"/jobs/{id}/cancel")
    answer = http.get(f"/jobs/{id}/receipt")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rowcast:problem:no-result")


def test_a_receipt_outlives_the_files(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    asked, unasked = submit(http, "fixed"), submit(http, "fixed")
    for id in (asked, unasked):
        assert wait(http, id)["status"] == "succeeded"
    with Client(kept_stack.url) as client:
        receipt = client.job(asked).receipt()
        kept_stack.redis.zadd(key("expiring"), {asked: 0, unasked: 0})
        until(lambda: client.job(unasked).status == client.job(asked).status == "expired", "the jobs expire")
        assert client.job(asked).receipt() == receipt
    answer = http.get(f"/jobs/{unasked}/receipt")
    assert (answer.status_code, answer.json()["type"]) == (410, "urn:rowcast:problem:job-expired")


def test_a_single_job_has_no_receipt(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    row = http.post("/predict?wait=60", json={"features": [31], "model": "fixed"}).json()
    answer = http.get(f"/jobs/{row['job']}/receipt")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:rowcast:problem:no-receipt")
    assert http.get("/jobs/none/receipt").status_code == 404
    assert json.loads(http.get("/receipts/keys").content)["keys"][0]["crv"] == "Ed25519"
