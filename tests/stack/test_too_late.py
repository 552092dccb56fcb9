"""Jobs that have to end in a given time (`expires_in`): they fail by themselves, and what was scored is kept."""

import httpx
from programs import Stack, until
from scored import CSV, ROWS, WANTED, assert_whole, submit, wait

from rowcast.jobs.records.redis_keys import key


def test_jobs_that_no_worker_takes_fail_when_their_time_is_up(kept_stack: Stack, http: httpx.Client) -> None:
    row = http.post("/predict", json={"model": "fixed", "features": [25], "expires_in": 1}).json()["id"]
    file = submit(http, "fixed", expires_in="1s")
    patient = submit(http, "fixed", expires_in="2h")
    for id, rows in ((row, 1), (file, ROWS)):
        job = wait(http, id)
        assert (job["status"], job["error"]["type"]) == ("failed", "urn:rowcast:problem:too-late")
        assert f"after 1 s, which is its expires_in: 0 of {rows} rows" in job["error"]["detail"]
        answer = http.get(f"/jobs/{id}/result")
        assert (answer.status_code, answer.json()["error"]["type"]) == (409, job["error"]["type"])
    assert http.get(f"/jobs/{patient}").json()["options"]["expires_in"] == 7_200
    kept_stack.start_worker()
    assert_whole(kept_stack, http, patient)
    assert http.get(f"/jobs/{file}").json()["progress"]["rows_done"] == 0, "its chunks were not scored afterwards"
    assert not kept_stack.redis.exists(key("deadlines"))


def test_what_was_scored_in_time_can_be_fetched_and_a_retry_goes_on(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker(concurrency=1)
    id = submit(http, "slow", CSV, expires_in=3)
    until(lambda: http.get(f"/jobs/{id}").json()["progress"]["rows_done"], "a chunk is done")
    job = wait(http, id)
    assert job["error"]["type"] == "urn:rowcast:problem:too-late"
    done = job["progress"]["rows_done"]
    assert 0 < done < ROWS
    part = http.get(f"/jobs/{id}/result", params={"partial": "true"})
    assert part.status_code == 200
    assert part.content == b"".join(WANTED.splitlines(keepends=True)[: done + 1])
    assert http.post(f"/jobs/{id}/retry").status_code == 202
    again = wait(http, id)
    assert again["error"]["type"] == "urn:rowcast:problem:too-late", "it has the same time again"
    assert again["progress"]["rows_done"] > done


def test_an_upload_that_takes_too_long_fails_with_its_last_byte(kept_stack: Stack, http: httpx.Client) -> None:
    redis = kept_stack.redis
    kept_stack.start_worker(concurrency=1)

    def slowly() -> object:
        yield CSV
        until(lambda: redis.zcard(key("deadlines")) == 1, "its time runs")
        until(lambda: redis.zcard(key("deadlines")) == 0, "its time is up")
        yield CSV[4:]

    query = {"model": "fixed", "expires_in": "1"}
    job = http.post("/predict", content=slowly(), headers={"Content-Type": "text/csv"}, params=query).json()
    assert wait(http, job["id"])["error"]["type"] == "urn:rowcast:problem:too-late"
