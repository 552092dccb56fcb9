"""What happens when something dies while a worker converts a file: each row comes once, and no file stays."""

import httpx
import pandas as pd
import pytest
from parquet_files import FILE, FRAME, PARQUET, parquet
from programs import Stack, kill_group, until

from rowcast.jobs.chunk_tables import CONVERSION
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField

SOME = FRAME[:5_000]
"""Enough rows for tests in which nothing has to happen during the conversion."""


def sent(http: httpx.Client, content: bytes = FILE) -> str:
    answer = http.post("/predict", content=content, headers=PARQUET)
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert job["status"] in ("queued", "running")
    assert job["progress"]["fraction"] == 0.0
    return str(job["id"])


def chunks(stack: Stack, id: str) -> int:
    return int(stack.redis.hget(key("job", id), JobField.CHUNKS) or 0)


def is_converting(stack: Stack, id: str) -> bool:
    return bool(stack.redis.hexists(key("job", id), JobField.CONVERTING))


def assert_converted(stack: Stack, http: httpx.Client, id: str, frame: pd.DataFrame = SOME) -> None:
    until(lambda: http.get(f"/jobs/{id}").json()["status"] not in ("queued", "running"), "the job has ended", 60)
    job = http.get(f"/jobs/{id}").json()
    assert (job["status"], job["progress"]["rows_done"]) == ("succeeded", len(frame)), job
    lines = http.get(f"/jobs/{id}/result").text.splitlines()
    csv = frame.to_csv(index=False, lineterminator="\n").splitlines()
    assert [line.rpartition(",")[0] for line in lines] == csv
    assert not [name for name in stack.files() if f"{id}/source" in name]
    stack.audit()


def test_a_worker_killed_while_it_converts_is_followed_by_another(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker("first", concurrency=1)
    id = sent(http)
    until(lambda: chunks(kept_stack, id), "the first chunk is there")
    kill_group(kept_stack.processes.pop("first"))
    assert is_converting(kept_stack, id), "the worker was killed before it had converted the file"
    known = chunks(kept_stack, id)
    kept_stack.audit()
    kept_stack.start_worker("second")
    assert_converted(kept_stack, http, id, FRAME)
    assert chunks(kept_stack, id) > known
    assert kept_stack.log("second").count('"file_converted"') == 1


def test_a_file_that_kills_its_workers_fails_its_job(kept_stack: Stack, http: httpx.Client) -> None:
    id = sent(http)
    kept_stack.redis.hset(key("in_flight", id), str(CONVERSION), "9 9")
    kept_stack.start_worker("first", concurrency=1)
    until(lambda: chunks(kept_stack, id), "it converts")
    kill_group(kept_stack.processes.pop("first"))
    until(lambda: http.get(f"/jobs/{id}").json()["status"] == "failed", "the job has failed", 30)
    error = http.get(f"/jobs/{id}").json()["error"]
    assert error["type"].endswith(":worker-lost")
    assert "The conversion of the file" in error["detail"]
    kept_stack.audit()


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_a_job_that_ends_while_its_file_waits_leaves_nothing(kept_stack: Stack, http: httpx.Client, how: str) -> None:
    id = sent(http, parquet(SOME))
    if how == "cancel":
        assert http.post(f"/jobs/{id}/cancel").status_code == 202
        kept_stack.audit()
        assert http.post(f"/jobs/{id}/retry").status_code == 202
        assert http.get(f"/jobs/{id}/chunks").json()["chunks"] == []
        assert http.get(f"/ui/jobs/{id}").status_code == 200
        kept_stack.start_worker("first")
        assert_converted(kept_stack, http, id)
        log = {line["event"]: line for line in http.get(f"/jobs/{id}/log").json()["log"]}
        assert log["created"]["message"] == "The job was made. A worker converts its file to rows."
        assert log["started"]["message"].startswith("The conversion of the file began by ")
        assert f"{len(SOME):,} rows" in log["converted"]["message"]
        assert log["started"]["chunk"] is None
    assert http.delete(f"/jobs/{id}").status_code == 204
    assert not [name for name in kept_stack.files() if id in name]
    kept_stack.audit()


def test_a_job_that_redis_lost_is_converted_again(kept_stack: Stack, http: httpx.Client) -> None:
    id = sent(http, parquet(SOME))
    kept_stack.redis.flushall()
    until(lambda: is_converting(kept_stack, id), "upkeep has made the job again", 30)
    kept_stack.start_worker("first")
    assert_converted(kept_stack, http, id)
    kept_stack.redis.flushall()
    until(lambda: http.get(f"/jobs/{id}").json().get("status") == "succeeded", "it is scored again from its chunks", 60)
    assert not is_converting(kept_stack, id)


def test_the_same_request_again_finds_the_job(kept_stack: Stack, http: httpx.Client) -> None:
    headers = {**PARQUET, "Idempotency-Key": "once"}
    first = http.post("/predict", content=FILE, headers=headers)
    again = http.post("/predict", content=FILE, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["id"] == first.json()["id"]
    assert {name.split("/")[1] for name in kept_stack.files()} == {first.json()["id"]}
