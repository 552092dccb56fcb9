"""`retry`, and `cancel`, `DELETE` and the registry in the middle of a job: each row is scored once, and all adds up."""

import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from programs import Stack, until
from scored import ROWS, assert_whole, begun, submit, wait

from rowcast.jobs.records.redis_keys import key


def at_once(call: Callable[[], httpx.Response]) -> list[int]:
    """The statuses of two such requests that are under way together."""
    barrier, statuses = threading.Barrier(2), []

    def ask() -> None:
        barrier.wait()
        statuses.append(call().status_code)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(statuses)


def rows_done(http: httpx.Client, id: str) -> int:
    return http.get(f"/jobs/{id}").json()["progress"]["rows_done"]


def test_a_cancelled_job_goes_on_with_what_is_not_done(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    id = submit(http, "slow")
    until(lambda: rows_done(http, id), "a chunk is done")
    assert http.post(f"/jobs/{id}/cancel").status_code == 202
    before = rows_done(http, id)
    assert 0 < before < ROWS
    answer = http.post(f"/jobs/{id}/retry")
    assert answer.status_code == 202, answer.text
    assert answer.json()["progress"]["rows_done"] >= before
    assert (answer.json()["finished_at"], answer.json()["error"]) == (None, None)
    assert_whole(kept_stack, http, id)
    assert http.post(f"/jobs/{id}/retry").status_code == 409


def test_a_job_that_failed_for_a_while_goes_on(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    (kept_stack.folder / "failing").touch()
    id = submit(http, "failing")
    assert wait(http, id)["status"] == "failed"
    (kept_stack.folder / "failing").unlink()
    assert http.post(f"/jobs/{id}/retry").json()["status"] in ("queued", "running")
    assert_whole(kept_stack, http, id)


def test_of_two_retries_and_of_two_cancels_at_once_one_counts(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    id = submit(http, "slow")
    begun(http, id)
    for call in ("cancel", "retry"):
        assert at_once(lambda call=call: httpx.post(f"{kept_stack.url}/jobs/{id}/{call}")) == [202, 409]
    assert_whole(kept_stack, http, id)
    assert kept_stack.redis.hget(key("live"), "*") == b"0"


def test_what_cannot_be_retried_says_so(http: httpx.Client) -> None:
    queued, deleted = submit(http, "fixed"), submit(http, "fixed")
    single = http.post("/predict", json={"features": [1], "model": "fixed"}).json()["id"]
    http.post(f"/jobs/{single}/cancel")
    http.delete(f"/jobs/{deleted}")
    for id, status in ((queued, 409), (single, 409), (deleted, 410), (queued[:-4] + "0000", 404)):
        answer = http.post(f"/jobs/{id}/retry")
        assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")


def test_a_running_job_that_is_deleted_leaves_nothing_behind(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()
    id = submit(http, "slow")
    begun(http, id)
    assert http.delete(f"/jobs/{id}").status_code == 204
    for method, path in (("GET", ""), ("GET", "/result"), ("POST", "/cancel"), ("POST", "/retry"), ("DELETE", "")):
        assert http.request(method, f"/jobs/{id}{path}").status_code == 410
    assert_whole(kept_stack, http, submit(http, "fixed"))
    until(lambda: not any(id in file for file in kept_stack.files()), "no file of it is left")


def test_a_model_that_goes_while_its_job_waits_fails_it_and_a_retry_mends_it(
    kept_stack: Stack, http: httpx.Client
) -> None:
    ids = {name: submit(http, name) for name in ("fixed", "slow")}
    files = {name: kept_stack.models / name / "1" / "model.pkl" for name in ids}
    contents = {name: file.read_bytes() for name, file in files.items()}
    files["fixed"].unlink()
    files["slow"].write_bytes(contents["slow"] + b" ")
    kept_stack.start_worker()
    for name, id in ids.items():
        job = wait(http, id)
        assert job["status"] == "failed"
        assert f"{name}@1" in job["error"]["detail"], job["error"]
        files[name].write_bytes(contents[name])
        assert http.post(f"/jobs/{id}/retry").status_code == 202
        assert_whole(kept_stack, http, id)


def is_changed(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b" ")


@pytest.mark.parametrize("breaks", [Path.unlink, is_changed])
def test_a_model_that_goes_while_its_job_runs_is_used_only_where_it_is_open(
    kept_stack: Stack, http: httpx.Client, breaks: Callable[[Path], None]
) -> None:
    stuck = kept_stack.folder / "stuck"
    file = kept_stack.models / "stuck" / "1" / "model.pkl"
    content = file.read_bytes()
    kept_stack.start_worker("first", concurrency=1)
    assert_whole(kept_stack, http, submit(http, "stuck"))  # it has opened the model now
    stuck.touch()
    id = submit(http, "stuck")
    begun(http, id)
    breaks(file)
    stuck.unlink()
    assert_whole(kept_stack, http, id)

    file.write_bytes(content)
    stuck.touch()
    id = submit(http, "stuck")
    begun(http, id)
    breaks(file)
    kept_stack.start_worker("second", concurrency=1)  # it has not opened the model
    job = wait(http, id)
    assert job["status"] == "failed"
    assert "stuck@1" in job["error"]["detail"], job["error"]
    file.write_bytes(content)
    stuck.unlink()
    assert http.post(f"/jobs/{id}/retry").status_code == 202
    assert_whole(kept_stack, http, id)
