"""What happens when Redis goes away, stands still, fills up or is emptied, or the gateway dies in the middle of a call.

Meanwhile the gateway refuses at once, and takes nothing that it then forgets; afterwards all goes on by itself.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
import pytest
from programs import Stack, kill_group, until
from proxy import Proxy
from scored import CSV, assert_whole, begun, submit

from rowcast.jobs.keys import key

ANSWER_SECONDS = 5
"""The gateway never takes longer to say that Redis is away."""

BACK_SECONDS = 15
"""So soon after Redis is back the workers are, too."""

FROZEN_SECONDS = 20
"""Longer than every timeout there is, of ours and of kombu's."""


@pytest.fixture
def http(unaudited: httpx.Client) -> httpx.Client:
    """Where Redis is emptied, its books cannot add up; the tests that can be audited say so themselves."""
    return unaudited


@contextmanager
def stopped(own_stack: Stack) -> Iterator[None]:
    own_stack.server.stop()
    yield
    own_stack.server.start()


@contextmanager
def killed(own_stack: Stack) -> Iterator[None]:
    own_stack.server.kill()
    yield
    own_stack.server.start()


def assert_refuses(own_stack: Stack, id: str | None = None) -> None:
    """Every call that needs Redis answers 503 with Retry-After, and soon; health does not need it."""
    with httpx.Client(base_url=own_stack.url, timeout=ANSWER_SECONDS) as http:
        csv = {"Content-Type": "text/csv"}
        answers = [
            http.post("/predict", json={"features": [40], "model": "fixed"}),
            http.post("/predict", content=CSV, headers=csv, params={"model": "fixed"}),
        ]
        if id:
            answers.append(http.get(f"/jobs/{id}"))
        assert http.get("/health").status_code == 200
    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert int(answer.headers["Retry-After"]) >= 1
        assert answer.headers["Content-Type"] == "application/problem+json"


def assert_serves(http: httpx.Client) -> None:
    """A row that is sent now is predicted soon: the worker hears its hint."""
    body = {"features": [40], "model": "fixed"}
    answer = http.post("/predict", json=body, headers={"Prefer": f"wait={BACK_SECONDS}"})
    assert (answer.status_code, answer.json().get("prediction")) == (200, 1), answer.text


def jobs(http: httpx.Client) -> set[str]:
    return {job["id"] for job in http.get("/jobs").json()["jobs"]}


def hold_one(own_stack: Stack, http: httpx.Client) -> str:
    """A job that is being scored, and does not get on before `let_go`."""
    own_stack.keep_worker()
    (own_stack.folder / "stuck").touch()
    id = submit(http, "stuck")
    begun(http, id)
    return id


def let_go(own_stack: Stack) -> None:
    (own_stack.folder / "stuck").unlink()


@pytest.mark.parametrize("fault", [stopped, killed])
def test_redis_dies_and_comes_back(
    own_stack: Stack, http: httpx.Client, fault: Callable[[Stack], AbstractContextManager[None]]
) -> None:
    id = hold_one(own_stack, http)
    with fault(own_stack):
        let_go(own_stack)
        assert_refuses(own_stack, id)
    assert_serves(http)
    assert_whole(own_stack, http, id)
    assert len(jobs(http)) == 2, "what was refused is not there"


def test_redis_stands_still(own_stack: Stack, http: httpx.Client) -> None:
    id = hold_one(own_stack, http)
    again = {"content": CSV, "params": {"model": "fixed"}}
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "one"}
    end = time.monotonic() + FROZEN_SECONDS
    with own_stack.server.frozen():
        let_go(own_stack)
        assert_refuses(own_stack, id)
        refused = http.post("/predict", headers=headers, timeout=ANSWER_SECONDS, **again)
        assert refused.status_code == 503
        time.sleep(max(0, end - time.monotonic()))  # the fault's own length
    assert_serves(http)
    assert_whole(own_stack, http, id)
    # What was refused may have been carried out when Redis woke; with a key the retry cannot make it twice.
    made = http.post("/predict", headers=headers, **again).json()["id"]
    assert http.post("/predict", headers=headers, **again).json()["id"] == made
    assert_whole(own_stack, http, made)


def test_all_connections_are_cut(own_stack: Stack, http: httpx.Client) -> None:
    id = hold_one(own_stack, http)
    for _ in range(3):
        own_stack.redis.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
    let_go(own_stack)
    assert_serves(http)
    assert_whole(own_stack, http, id)


def test_redis_is_full(own_stack: Stack, http: httpx.Client) -> None:
    id = hold_one(own_stack, http)
    own_stack.redis.config_set("maxmemory", "1mb")
    let_go(own_stack)
    assert_refuses(own_stack)
    assert http.get(f"/jobs/{id}").json()["status"] == "running", "what only reads is still served"
    own_stack.redis.config_set("maxmemory", "0")
    assert_serves(http)
    assert_whole(own_stack, http, id)
    assert len(jobs(http)) == 2, "what was refused is not there"


def test_redis_is_emptied(own_stack: Stack, http: httpx.Client) -> None:
    before = submit(http, "fixed")
    deleted = submit(http, "fixed")
    assert http.delete(f"/jobs/{deleted}").status_code == 204
    id = hold_one(own_stack, http)
    own_stack.redis.flushall()
    let_go(own_stack)
    for each in (id, before):
        until(lambda each=each: http.get(f"/jobs/{each}").status_code != 503, "the job is there again")
        assert_whole(own_stack, http, each)
    assert jobs(http) == {id, before}, "what was deleted stays deleted"
    assert_serves(http)


def test_an_idempotency_key_outlives_an_emptied_redis(own_stack: Stack, http: httpx.Client) -> None:
    def send() -> httpx.Response:
        headers = {"Content-Type": "text/csv", "Idempotency-Key": "one"}
        return http.post("/predict", content=CSV, headers=headers, params={"model": "fixed"})

    id = send().json()["id"]
    own_stack.redis.flushall()
    until(lambda: http.get(f"/jobs/{id}").status_code == 200, "the job is there again")
    again = send()
    assert (again.status_code, again.json()["id"]) == (200, id)
    assert {file.split("/")[1] for file in own_stack.files()} == {id}


def test_the_gateway_dies_in_the_middle_of_an_upload(own_stack: Stack, http: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "one"}
    halfway = threading.Event()

    def blocks() -> Iterator[bytes]:
        yield CSV
        halfway.wait(60)
        yield CSV

    def send() -> None:
        with pytest.raises(httpx.TransportError):
            httpx.post(f"{own_stack.url}/predict", content=blocks(), headers=headers, params={"model": "fixed"})

    upload = threading.Thread(target=send)
    upload.start()
    until(own_stack.files, "chunks are being stored")
    kill_group(own_stack.processes.pop("gateway"))
    halfway.set()
    upload.join()
    own_stack.start_gateway()
    own_stack.start_worker()
    answer = http.post("/predict", content=CSV, headers=headers, params={"model": "fixed"})
    assert answer.status_code == 202, answer.text
    assert_whole(own_stack, http, answer.json()["id"])
    assert jobs(http) == {answer.json()["id"]}
    redis = own_stack.redis
    (stray,) = redis.zrange(key("sweeping"), 0, -1)
    redis.zadd(key("sweeping"), {stray: 0})  # ten minutes of silence have passed
    until(lambda: not any(stray.decode() in file for file in own_stack.files()), "what had arrived is swept")


def test_the_gateway_dies_between_the_upload_and_the_answer(own_stack: Stack, http: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": "one", "Prefer": "wait=60"}

    def send() -> httpx.Response:
        return httpx.post(
            f"{own_stack.url}/predict", content=CSV, headers=headers, params={"model": "fixed"}, timeout=90
        )

    def unanswered() -> None:
        with pytest.raises(httpx.TransportError):
            send()

    first = threading.Thread(target=unanswered)
    first.start()
    until(lambda: jobs(http), "the job is made")
    kill_group(own_stack.processes.pop("gateway"))
    first.join()
    own_stack.start_gateway()
    own_stack.start_worker()
    again = send()
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (200, "true")
    assert jobs(http) == {again.json()["id"]}
    assert_whole(own_stack, http, again.json()["id"])


def test_packets_to_redis_are_swallowed(own_stack: Stack) -> None:
    proxy = Proxy(own_stack.server.port)
    own_stack.environment["ROWCAST_REDIS_URL"] = f"redis://127.0.0.1:{proxy.port}/0"
    own_stack.start_gateway()
    own_stack.start_upkeep()
    own_stack.keep_worker()
    with httpx.Client(base_url=own_stack.url, timeout=90) as http:
        id = submit(http, "slow")
        begun(http, id)
        proxy.swallow()
        answer = http.get(f"/jobs/{id}", timeout=ANSWER_SECONDS)
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        assert http.get("/health").status_code == 200
        proxy.forward()
        body = {"features": [40], "model": "fixed"}
        answer = http.post("/predict", json=body, headers={"Prefer": f"wait={BACK_SECONDS}"})
        assert answer.json()["prediction"] == 1
        assert_whole(own_stack, http, id)
    own_stack.environment.pop("ROWCAST_REDIS_URL")
    own_stack.audit()
    proxy.close()
