"""Rows, chunks, processes and messages that do harm to a service that goes on: the tests share one."""

import json
import threading
from collections.abc import Iterator

import httpx
import pytest
from programs import Stack, http_client, until
from scored import CSV, ROWS, WANTED, assert_whole, submit, wait

from rowcast.jobs.records.celery_queues import REFUSED
from rowcast.jobs.records.redis_keys import key

pytestmark = pytest.mark.xdist_group("row faults")


@pytest.fixture
def http(shared_stack: Stack) -> Iterator[httpx.Client]:
    """A client of the service; after each test all adds up."""
    with http_client(shared_stack.url, timeout=90) as client:
        yield client
        shared_stack.audit()


def test_a_killed_worker_process_costs_nothing(shared_stack: Stack, http: httpx.Client) -> None:
    (shared_stack.folder / "die").touch()
    assert_whole(shared_stack, http, submit(http, "dying"))
    assert "leases_released" in shared_stack.log("worker"), "the death was noticed at once, not at the lease's end"


def test_a_row_that_makes_predict_raise_is_found_and_the_others_are_scored(
    shared_stack: Stack, http: httpx.Client
) -> None:
    id = submit(http, "picky", CSV.replace(b"\n17\n", b"\n66\n"))
    job = wait(http, id)
    blamed = sum(number % 60 == 17 for number in range(ROWS))
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", blamed)
    errors = http.get(f"/jobs/{id}/errors").text.splitlines()
    assert errors[0] == "row,column,value,message"
    assert errors[1].startswith("18,")
    assert "66 is not for me" in errors[1]
    assert len(errors) == 1 + blamed
    assert http.get(f"/jobs/{id}/result").content.replace(b"\n66,\n", b"\n17,0\n") == WANTED


def test_a_row_that_kills_its_process_is_found_and_the_others_are_scored(
    shared_stack: Stack, http: httpx.Client
) -> None:
    id = submit(http, "deadly", CSV.replace(b"\n17\n", b"\n66\n", 1))
    job = wait(http, id)
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", 1), job
    errors = http.get(f"/jobs/{id}/errors").text
    assert errors == "row,column,value,message\n18,,,predict ended its process (killed by SIGKILL)\n"
    assert http.get(f"/jobs/{id}/result").content.replace(b"\n66,\n", b"\n17,0\n") == WANTED


def test_a_row_that_kills_one_of_two_models_is_found_and_names_it(shared_stack: Stack, http: httpx.Client) -> None:
    both = "fixed,deadly"
    id = submit(http, both, CSV.replace(b"\n17\n", b"\n66\n", 1))
    job = wait(http, id)
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", 1), job
    errors = http.get(f"/jobs/{id}/errors").text.splitlines()[1:]
    assert errors == ["18,,,predict ended its process (killed by SIGKILL) (model deadly)"]
    rows = http.get(f"/jobs/{id}/result").text.splitlines()
    assert rows[0] == "age,prediction_fixed,prediction_deadly"
    assert rows[18] == "66,,"
    wanted = [f"{age},{age > 30:d},{age > 30:d}" for age in (number % 60 for number in range(ROWS))]
    assert rows[1:18] + rows[19:] == wanted[:17] + wanted[18:]
    row = http.post("/predict", json={"features": [66], "model": both}, params={"wait": 60}).json()
    assert row["detail"].endswith("(model deadly)"), row


def test_a_row_that_needs_too_much_memory_is_found_and_the_others_are_scored(
    shared_stack: Stack, http: httpx.Client
) -> None:
    id = submit(http, "greedy", CSV.replace(b"\n17\n", b"\n66\n", 1))
    job = wait(http, id)
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", 1), job
    _, error = http.get(f"/jobs/{id}/errors").text.splitlines()
    assert error.startswith("18,")
    assert "memory" in error
    assert http.get(f"/jobs/{id}/result").content.replace(b"\n66,\n", b"\n17,0\n") == WANTED


def test_a_chunk_that_keeps_raising_fails_the_job_and_names_its_rows(shared_stack: Stack, http: httpx.Client) -> None:
    (shared_stack.folder / "failing").touch()
    job = wait(http, submit(http, "failing"))
    assert job["status"] == "failed"
    assert "(rows " in job["error"]["detail"]
    assert "MemoryError" in job["error"]["detail"]
    (shared_stack.folder / "failing").unlink()
    assert_whole(shared_stack, http, submit(http, "failing"))


def with_arguments(message: bytes, *arguments: object) -> bytes:
    """Returns the message with these arguments; its body is JSON within JSON."""
    read = json.loads(message)
    body = json.loads(read["body"])
    return json.dumps({**read, "body": json.dumps([list(arguments), *body[1:]])}).encode()


def test_a_message_that_nobody_of_ours_sent_is_refused_and_the_worker_goes_on(
    shared_stack: Stack, http: httpx.Client
) -> None:
    redis = shared_stack.redis
    id = submit(http, "slow")
    until(lambda: redis.llen(key("batch")), "hints wait")
    message = redis.lindex(key("batch"), 0)
    for arguments in (["x"], [7, "a"], [[]], ["../..", 0], [id, "0"], [None], [{}]):
        redis.lpush(key("batch"), with_arguments(message, *arguments))
    redis.lpush(key("batch"), message.replace(b"rowcast.score_chunk", b"os.system"))
    for bytes in (b"", b"no JSON", b"[]", b"7", b"null", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"properties": 1}'):
        redis.lpush(key("batch"), bytes)
    # Of these two nothing is believed but the task and the tag, which are right.
    redis.lpush(key("batch"), message.replace(b"[null, null]", b"[[], []]"))  # Celery would end by these time limits
    redis.lpush(key("batch"), message.replace(b"application/json", b"application/x-python-serialize"))
    until(lambda: redis.hget(key("totals"), REFUSED) == b"17", "the worker has refused the others")
    assert_whole(shared_stack, http, id)


def test_waiting_rows_survive_the_death_of_the_process_that_has_them(shared_stack: Stack, http: httpx.Client) -> None:
    (shared_stack.folder / "die").touch()
    answers: list[httpx.Response] = []

    def ask(age: int) -> None:
        body = {"features": [age], "model": "dying"}
        answers.append(httpx.post(f"{shared_stack.url}/predict", json=body, headers={"Prefer": "wait=60"}, timeout=90))

    threads = [threading.Thread(target=ask, args=(age,)) for age in (20, 40, 20, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.json()["prediction"] for answer in answers) == [0, 0, 1, 1]
