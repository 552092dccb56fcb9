"""What happens when Redis goes away, stands still, fills up or is emptied, or the gateway dies in the middle of a call.

Meanwhile the gateway refuses at once, and accepts nothing that it then loses. Afterwards everything continues.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import wait as wait_for_all
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from programs import Stack, http_client, kill_group, until
from proxy import Proxy
from scored import CSV, WANTED, assert_whole, begun, submit, wait

from rowcast.jobs.records.redis_keys import key

HANGING_SECONDS = 60
"""A call that has no answer after this time hangs. `make recovery` measures how long calls and workers really take."""

FROZEN_SECONDS = 16
"""Longer than every timeout (ten seconds at most), and than the 15 s after which idle connections are checked."""


@contextmanager
def stopped(stack: Stack) -> Iterator[None]:
    stack.server.stop()
    yield
    stack.server.start()


@contextmanager
def killed(stack: Stack) -> Iterator[None]:
    stack.server.kill()
    yield
    stack.server.start()


def assert_refuses(stack: Stack, id: str | None = None) -> None:
    """Every call that needs Redis answers 503 with Retry-After while it is away; health does not need it."""
    calls: list[tuple[str, str, dict[str, object]]] = [
        ("POST", "/predict", {"json": {"features": [40], "model": "fixed"}}),
        ("POST", "/predict?model=fixed", {"content": CSV, "headers": {"Content-Type": "text/csv"}}),
    ]
    if id:
        calls.append(("GET", "/metrics/cluster", {}))
        gets = ["/jobs", f"/jobs/{id}", f"/jobs/{id}?wait=60", f"/jobs/{id}/result", f"/jobs/{id}/result?follow=true"]
        calls += [("GET", path, {}) for path in (*gets, f"/jobs/{id}/errors", f"/jobs/{id}/events")]
        calls += [("POST", f"/jobs/{id}/cancel", {}), ("POST", f"/jobs/{id}/retry", {}), ("DELETE", f"/jobs/{id}", {})]
    with http_client(stack.url, timeout=HANGING_SECONDS) as http, ThreadPoolExecutor(len(calls)) as pool:
        under_way = [pool.submit(http.request, method, path, **more) for method, path, more in calls]
        assert http.get("/health").status_code == http.get("/metrics").status_code == 200
        answers = [answer.result() for answer in under_way]
    for answer in answers:
        assert answer.status_code == 503, (answer.url, answer.text)
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["Content-Type"] == "application/problem+json"


class Waiting:
    """Three callers that wait while the fault comes: for a row, for a job's end, for its result part by part."""

    def __init__(self, stack: Stack, http: httpx.Client, id: str, pool: ThreadPoolExecutor) -> None:
        def ask(method: str, path: str, **more: object) -> httpx.Response:
            return httpx.request(method, stack.url + path, timeout=90, **more)  # type: ignore[arg-type]

        row = {"features": [40], "model": "stuck"}
        self._row = pool.submit(ask, "POST", "/predict", json=row, headers={"Prefer": "wait=60"})
        self._job = pool.submit(ask, "GET", f"/jobs/{id}?wait=60")
        self._result = pool.submit(ask, "GET", f"/jobs/{id}/result?follow=true")
        until(lambda: len(jobs(http)) == 2, "the row is taken")

    def assert_answered(self, within_seconds: float) -> None:
        """Each has an answer, whole, or one that says that it is not; the row was taken, so its job is known."""
        wait_for_all((self._row, self._job, self._result), timeout=within_seconds)
        row, job = self._row.result(0), self._job.result(0)
        assert row.status_code in (200, 202), row.text
        assert job.status_code == 200 or (job.status_code, "Retry-After" in job.headers) == (503, True), job.text
        with suppress(
            httpx.TransportError
        ):  # cut short without its last chunk: no client takes it for the whole result
            result = self._result.result(0)
            assert result.status_code == 503 or result.content == WANTED, result.text
        self._row_id = row.json().get("job") or row.json()["id"]

    def assert_predicted(self, http: httpx.Client) -> None:
        assert wait(http, self._row_id)["result"] == {"prediction": 1}


def assert_serves(http: httpx.Client) -> None:
    """A row that is sent now is predicted soon: the worker receives its message."""
    body = {"features": [40], "model": "fixed"}
    answer = http.post("/predict", json=body, headers={"Prefer": f"wait={HANGING_SECONDS}"})
    assert (answer.status_code, answer.json().get("prediction")) == (200, 1), answer.text


def jobs(http: httpx.Client) -> set[str]:
    return {job["id"] for job in http.get("/jobs").json()["jobs"]}


def hold_one(stack: Stack, http: httpx.Client) -> str:
    """A job that is being scored, and does not get on before `let_go`."""
    stack.keep_worker()
    (stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    begun(http, id)
    return id


def let_go(stack: Stack) -> None:
    (stack.folder / "stuck").unlink()


@pytest.mark.parametrize("fault", [stopped, killed])
def test_redis_dies_and_comes_back(
    kept_stack: Stack, http: httpx.Client, fault: Callable[[Stack], AbstractContextManager[None]]
) -> None:
    id = hold_one(kept_stack, http)
    with ThreadPoolExecutor() as pool:
        waiting = Waiting(kept_stack, http, id, pool)
        with fault(kept_stack):
            let_go(kept_stack)
            assert_refuses(kept_stack, id)
        waiting.assert_answered(HANGING_SECONDS)
    assert_serves(http)
    waiting.assert_predicted(http)
    assert_whole(kept_stack, http, id)
    assert len(jobs(http)) == 3, "what was refused is not there"


def test_redis_stands_still_and_the_worker_looks_unhealthy(kept_stack: Stack, http: httpx.Client) -> None:
    heartbeat_file = kept_stack.folder / "heartbeat"
    kept_stack.environment["ROWCAST_HEARTBEAT_FILE"] = str(heartbeat_file)
    id = hold_one(kept_stack, http)
    until(heartbeat_file.exists, "the worker reaches Redis")
    again = {"content": CSV, "params": {"model": "fixed"}}
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "one"}
    with ThreadPoolExecutor() as pool:
        waiting = Waiting(kept_stack, http, id, pool)
        end = time.monotonic() + FROZEN_SECONDS
        with kept_stack.server.frozen():
            let_go(kept_stack)
            assert_refuses(kept_stack, id)
            refused = http.post("/predict", headers=headers, timeout=HANGING_SECONDS, **again)
            assert refused.status_code == 503
            waiting.assert_answered(HANGING_SECONDS)
            assert_worker_looks_unhealthy(kept_stack, heartbeat_file)
            time.sleep(max(0, end - time.monotonic()))  # the fault's own length
    assert_serves(http)
    until(heartbeat_file.exists, "the worker reaches Redis again")
    waiting.assert_predicted(http)
    assert_whole(kept_stack, http, id)
    # What was refused may have been carried out when Redis woke; with a key the retry cannot make it twice.
    made = http.post("/predict", headers=headers, **again).json()["id"]
    assert http.post("/predict", headers=headers, **again).json()["id"] == made
    assert_whole(kept_stack, http, made)


def assert_worker_looks_unhealthy(stack: Stack, heartbeat_file: Path) -> None:
    """Redis is frozen: the worker no longer touches its file, although it goes on trying."""
    until(lambda: "heartbeat_failed" in stack.log("worker"), "the worker does not reach Redis")
    heartbeat_file.unlink()
    failed = stack.log("worker").count("heartbeat_failed")
    until(lambda: stack.log("worker").count("heartbeat_failed") > failed, "it fails again")
    assert not heartbeat_file.exists()


def test_all_connections_are_cut(kept_stack: Stack, http: httpx.Client) -> None:
    id = hold_one(kept_stack, http)
    for _ in range(3):
        kept_stack.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    let_go(kept_stack)
    assert_serves(http)
    assert_whole(kept_stack, http, id)


def test_redis_is_full(kept_stack: Stack, http: httpx.Client) -> None:
    id = hold_one(kept_stack, http)
    kept_stack.redis.config_set("maxmemory", "1mb")
    let_go(kept_stack)
    assert_refuses(kept_stack)
    refused, ready = http.post("/predict", json={"features": [40], "model": "fixed"}).json(), http.get("/ready")
    assert refused["type"] == "urn:rowcast:problem:redis-full"
    assert ready.status_code == 503
    for said in (refused["detail"], ready.json()["checks"]["redis"]["detail"]):
        assert re.search(r"out of memory: [\d.]+ MiB of memory used, 1\.0 MiB allowed \(maxmemory\)\. Raise", said)
    assert http.get(f"/jobs/{id}").json()["status"] == "running", "what only reads is still served"
    kept_stack.redis.config_set("maxmemory", "0")
    until(lambda: http.get("/ready").status_code == 200, "it is ready again")
    assert_serves(http)
    assert_whole(kept_stack, http, id)
    assert len(jobs(http)) == 2, "what was refused is not there"


def test_redis_is_emptied(kept_stack: Stack, http: httpx.Client) -> None:
    before = submit(http, "fixed")
    deleted = submit(http, "fixed")
    assert http.delete(f"/jobs/{deleted}").status_code == 204
    id = hold_one(kept_stack, http)
    kept_stack.redis.flushall()
    let_go(kept_stack)
    for each in (id, before):
        until(lambda each=each: http.get(f"/jobs/{each}").status_code != 503, "the job is there again")
        assert_whole(kept_stack, http, each)
    assert jobs(http) == {id, before}, "what was deleted stays deleted"
    assert_serves(http)


def test_a_job_of_two_models_is_made_again_and_scored_by_both(kept_stack: Stack, http: httpx.Client) -> None:
    id = submit(http, "fixed,slow", b"age\n25\n45\n")
    kept_stack.redis.flushall()
    until(lambda: http.get(f"/jobs/{id}").status_code == 200, "the job is there again")
    kept_stack.start_worker()
    job = wait(http, id)
    assert [one["name"] for one in job["models"]] == ["fixed", "slow"]
    assert job["result"]["summary"]["disagreement"] == {"rows": 0, "fraction": 0.0}
    assert http.get(f"/jobs/{id}/result").text == "age,prediction_fixed,prediction_slow\n25,0,0\n45,1,1\n"
    assert [one["id"] for one in http.get("/jobs", params={"model": "slow"}).json()["jobs"]] == [id]


def test_an_idempotency_key_outlives_an_emptied_redis(kept_stack: Stack, http: httpx.Client) -> None:
    def send() -> httpx.Response:
        headers = {"Content-Type": "text/csv", "Idempotency-Key": "one"}
        return http.post("/predict", content=CSV, headers=headers, params={"model": "fixed"})

    id = send().json()["id"]
    kept_stack.redis.flushall()
    until(lambda: http.get(f"/jobs/{id}").status_code == 200, "the job is there again")
    again = send()
    assert (again.status_code, again.json()["id"]) == (200, id)
    assert {file.split("/")[1] for file in kept_stack.files()} == {id}


def test_the_gateway_dies_in_the_middle_of_an_upload(kept_stack: Stack, http: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "one"}
    halfway = threading.Event()

    def blocks() -> Iterator[bytes]:
        yield CSV
        halfway.wait(60)
        yield CSV

    def send() -> None:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{kept_stack.url}/predict", content=blocks(), headers=headers, params={"model": "fixed"})

    upload = threading.Thread(target=send)
    upload.start()
    until(kept_stack.files, "chunks are being stored")
    kill_group(kept_stack.processes.pop("gateway"))
    halfway.set()
    upload.join()
    kept_stack.start_gateway()
    kept_stack.start_worker()
    answer = http.post("/predict", content=CSV, headers=headers, params={"model": "fixed"})
    assert answer.status_code == 202, answer.text
    assert_whole(kept_stack, http, answer.json()["id"])
    assert jobs(http) == {answer.json()["id"]}
    redis = kept_stack.redis
    (stray,) = redis.zrange(key("removing"), 0, -1)
    redis.zadd(key("removing"), {stray: 0})  # ten minutes of silence have passed
    until(lambda: not any(stray.decode() in file for file in kept_stack.files()), "what had arrived is swept")


def test_the_gateway_dies_between_the_upload_and_the_answer(kept_stack: Stack, http: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "one", "Prefer": "wait=60"}

    def send() -> httpx.Response:
        return httpx.post(
            f"{kept_stack.url}/predict", content=CSV, headers=headers, params={"model": "fixed"}, timeout=90
        )

    def unanswered() -> None:
        with pytest.raises(httpx.TransportError):
            send()

    first = threading.Thread(target=unanswered)
    first.start()
    until(lambda: jobs(http), "the job is made")
    kill_group(kept_stack.processes.pop("gateway"))
    first.join()
    kept_stack.start_gateway()
    kept_stack.start_worker()
    again = send()
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert jobs(http) == {again.json()["id"]}
    assert_whole(kept_stack, http, again.json()["id"])


def test_packets_to_redis_are_swallowed(own_stack: Stack) -> None:
    """What was connected when they were is dead from then on, without an error."""
    proxy = Proxy(own_stack.server.port)
    own_stack.environment["ROWCAST_REDIS_URL"] = f"redis://127.0.0.1:{proxy.port}/0"
    own_stack.start_gateway()
    own_stack.start_upkeep()
    with http_client(own_stack.url, timeout=90) as http, ThreadPoolExecutor() as pool:
        id = hold_one(own_stack, http)
        waiting = Waiting(own_stack, http, id, pool)
        proxy.swallow()
        let_go(own_stack)
        assert_refuses(own_stack, id)
        waiting.assert_answered(HANGING_SECONDS)
        until(lambda: "no message from Redis" in own_stack.log("gateway"), "it notices that its subscription is dead")
        proxy.forward()
        assert_serves(http)
        waiting.assert_predicted(http)
        assert_whole(own_stack, http, id)
    own_stack.environment.pop("ROWCAST_REDIS_URL")
    own_stack.audit()
    proxy.close()
