"""What happens when something dies while a worker converts a file: each row comes once, and no file stays."""

import httpx
import pandas as pd
import pytest
from parquet_files import PARQUET, parquet, passengers
from programs import Stack, kill_group, until
from proxy import Proxy

from rowcast.jobs.chunk_tables import CONVERSION
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField

SOME = passengers(640)
FILE = parquet(SOME, row_group_size=150)
"""Ten chunks, in several row groups."""

WIDE = pd.concat([SOME, pd.DataFrame(0, SOME.index, [f"c{number}" for number in range(2_045)])], axis=1)
"""A file with this number of columns is read and added to Redis in five steps."""


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
    job = http.get(f"/jobs/{id}?wait=60").json()
    assert (job["status"], job["progress"]["rows_done"]) == ("succeeded", len(frame)), job
    lines = http.get(f"/jobs/{id}/result").text.splitlines()
    csv = frame.to_csv(index=False, lineterminator="\n").splitlines()
    assert [line.rpartition(",")[0] for line in lines] == csv
    assert not [name for name in stack.files() if f"{id}/source" in name]
    stack.audit()


def kill_while_it_converts(stack: Stack, id: str) -> int:
    """Starts a worker and kills it in the middle of a conversion. Returns the number of chunks that it has added.

    The worker reaches Redis through a proxy. It is killed while it waits for the answer to a script that adds further
    chunks, and which Redis never got. The first call of that script may be made twice, as Redis may not know it yet.
    """
    proxy = Proxy(stack.server.port)
    proxy.swallow_at(b'"columns":["name","age","pclass"', 4)
    address = f"redis://127.0.0.1:{proxy.port}/0"
    try:
        stack.start_worker("first", concurrency=1, ROWCAST_REDIS_URL=address, ROWCAST_LEASE_SECONDS="1")
        assert proxy.swallowed.wait(60), stack.log("first")
        kill_group(stack.processes.pop("first"))
    finally:
        proxy.close()
    assert is_converting(stack, id)
    return chunks(stack, id)


def test_a_worker_killed_while_it_converts_is_followed_by_another(kept_stack: Stack, http: httpx.Client) -> None:
    id = sent(http, parquet(WIDE))
    assert 0 < kill_while_it_converts(kept_stack, id) < 10
    kept_stack.audit()
    kept_stack.start_worker("second", concurrency=1)
    assert_converted(kept_stack, http, id, WIDE)
    assert chunks(kept_stack, id) == 10
    assert kept_stack.log("second").count('"file_converted"') == 1


def test_a_file_that_kills_its_workers_fails_its_job(kept_stack: Stack, http: httpx.Client) -> None:
    id = sent(http, parquet(WIDE))
    kept_stack.redis.hset(key("in_flight", id), str(CONVERSION), "9 9")
    kill_while_it_converts(kept_stack, id)
    error = http.get(f"/jobs/{id}?wait=60").json()["error"]
    assert error["type"].endswith(":worker-lost")
    assert "The conversion of the file" in error["detail"]


@pytest.mark.parametrize("how", ["cancel", "delete"])
def test_a_job_that_ends_while_its_file_waits_leaves_nothing(kept_stack: Stack, http: httpx.Client, how: str) -> None:
    id = sent(http)
    if how == "cancel":
        assert http.post(f"/jobs/{id}/cancel").status_code == 202
        kept_stack.audit()
        assert http.post(f"/jobs/{id}/retry").status_code == 202
        assert http.get(f"/jobs/{id}/chunks").json()["chunks"] == []
        assert http.get(f"/ui/jobs/{id}").status_code == 200
        kept_stack.start_worker("first", concurrency=1)
        assert_converted(kept_stack, http, id)
        log = {line["event"]: line for line in http.get(f"/jobs/{id}/log").json()["log"]}
        assert log["created"]["message"] == "The job was made. A worker converts its file to rows."
        assert log["started"]["message"].startswith("The conversion of the file began by ")
        assert f"{len(SOME):,} rows" in log["converted"]["message"]
        assert log["started"]["chunk"] is None
    assert http.delete(f"/jobs/{id}").status_code == 204
    assert not [name for name in kept_stack.files() if id in name]


def test_a_job_that_redis_lost_is_converted_again(kept_stack: Stack, http: httpx.Client) -> None:
    id = sent(http)
    kept_stack.redis.flushall()
    until(lambda: is_converting(kept_stack, id), "upkeep has made the job again", 30)
    kept_stack.start_worker("first", concurrency=1)
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
