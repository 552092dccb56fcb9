"""A file that is scored while it arrives, and a result that is sent while the rest is scored."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress

import httpx
import pytest
from programs import Stack, http_client, kill_group, until
from scored import CSV, WANTED, begun, submit, wait

from rowcast.jobs.records.redis_client import RedisClient
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.schema import JobField
from rowcast.jobs.states import Status

TYPE = {"Content-Type": "text/csv"}
ROWS = 640
LONG = [b"%d,%s" % (number % 60, b"x" * 15_000) for number in range(ROWS)]
"""Rows so long that the first chunks of them are there long before the last."""

SENT = b"\n".join([b"age,note", *LONG, b""])
RESULT = b"\n".join(
    [b"age,note,prediction", *(b"%s,%d" % (row, number % 60 > 30) for number, row in enumerate(LONG)), b""]
)
HALF = SENT.index(b"\n", len(SENT) // 2) + 1
FIRST_CHUNKS = CSV[: CSV.index(b"\n", len(CSV) // 2) + 1]


class BrokeOff(Exception):
    """What a test raises in the middle of its upload."""


def half_then(meanwhile: Callable[[], None], body: bytes = SENT) -> Iterator[bytes]:
    """An upload whose second half comes when `meanwhile` has returned."""
    yield body[:HALF]
    meanwhile()
    yield body[HALF:]


def arriving(redis: RedisClient) -> list[bytes]:
    return [
        name
        for name in redis.keys(key("job", "*"))
        if redis.type(name) == b"hash" and redis.hget(name, JobField.STATUS) == Status.ARRIVING.encode()
    ]


def answers(http: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return http.get("/health").status_code == 200
    return False


def parts_are_there(stack: Stack) -> None:
    until(lambda: any("/parts/" in file for file in stack.files()), "a part is stored while the input arrives")


def assert_is_whole(stack: Stack, http: httpx.Client, id: str) -> None:
    job = wait(http, id)
    assert (job["status"], job["progress"]["rows_done"]) == ("succeeded", ROWS)
    assert http.get(f"/jobs/{id}/result").content == RESULT
    until(lambda: not stack.redis.exists(key("leases"), key("due")), "nothing is in flight any more")


def send(http: httpx.Client, body: Iterator[bytes], **options: str) -> httpx.Response:
    return http.post("/predict", content=body, headers=TYPE, params={"model": "fixed", **options})


def test_a_file_is_scored_while_it_arrives_and_nobody_hears_of_it_before_it_is_there(
    kept_stack: Stack, http: httpx.Client
) -> None:
    kept_stack.start_worker()

    def look() -> None:
        parts_are_there(kept_stack)
        (name,) = arriving(kept_stack.redis)
        with http_client(kept_stack.url) as other:
            assert other.get(f"/jobs/{name.decode().rpartition(':')[2]}").status_code == 404
            assert other.get("/jobs").json()["jobs"] == []
        kept_stack.audit()

    made = send(http, half_then(look))
    assert made.status_code == 202, made.text
    assert made.json()["progress"]["rows_total"] == ROWS
    assert_is_whole(kept_stack, http, made.json()["id"])


def test_an_upload_that_breaks_off_takes_its_parts_with_it(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()

    def break_off() -> None:
        parts_are_there(kept_stack)
        raise BrokeOff

    with pytest.raises(BrokeOff):
        send(http, half_then(break_off))
    until(lambda: not kept_stack.files(), "no file is left")
    until(lambda: not kept_stack.redis.exists(key("leases"), key("due")), "nothing is in flight")
    assert not arriving(kept_stack.redis)
    assert http.get("/jobs").json()["jobs"] == []


def test_a_refused_row_in_the_second_half_takes_the_scored_first_half_with_it(
    kept_stack: Stack, http: httpx.Client
) -> None:
    kept_stack.start_worker()
    refused = send(http, half_then(lambda: parts_are_there(kept_stack), SENT + b'1,"open'))
    assert refused.status_code == 422
    until(lambda: not kept_stack.files(), "no file is left")
    assert http.get("/jobs").json()["jobs"] == []


def test_an_upload_whose_gateway_died_is_swept_and_the_retry_makes_one_job(own_stack: Stack) -> None:
    own_stack.keep_gateway()
    own_stack.start_upkeep()
    own_stack.start_worker()
    repeat = {**TYPE, "Idempotency-Key": "once"}

    def die() -> None:
        parts_are_there(own_stack)
        own_stack.supervised["gateway"].kill()

    with http_client(own_stack.url, timeout=90) as http:
        with pytest.raises(httpx.TransportError):
            http.post("/predict", content=half_then(die), headers=repeat, params={"model": "fixed"})
        own_stack.redis.zadd(key("removing"), dict.fromkeys(own_stack.redis.zrange(key("removing"), 0, -1), 1))
        until(lambda: not own_stack.files() and not arriving(own_stack.redis), "what fell silent is swept")
        until(lambda: answers(http), "the gateway is there again")
        made = http.post("/predict", content=SENT, headers=repeat, params={"model": "fixed"})
        assert_is_whole(own_stack, http, made.json()["id"])
        assert len(http.get("/jobs").json()["jobs"]) == 1
    own_stack.audit()


def test_redis_is_emptied_while_a_file_arrives(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker()

    def empty() -> None:
        parts_are_there(kept_stack)
        kept_stack.redis.flushall()

    made = send(http, half_then(empty))
    assert made.status_code == 202, made.text
    assert_is_whole(kept_stack, http, made.json()["id"])


def test_a_job_that_fails_while_its_file_arrives_has_failed_when_that_is_there(
    kept_stack: Stack, http: httpx.Client
) -> None:
    kept_stack.start_worker()
    bad = SENT.replace(b"\n3,", b"\nthree,", 1)
    made = send(
        http, half_then(lambda: until(lambda: has_verdict(kept_stack.redis), "it is found"), bad), on_error="fail"
    )
    assert made.status_code == 202
    job = http.get(f"/jobs/{made.json()['id']}").json()
    assert (job["status"], job["error"]["status"]) == ("failed", 422)
    assert "row 4, column age" in job["error"]["detail"]
    assert http.get(f"/jobs/{job['id']}/result", params={"follow": "true"}).status_code == 409


def has_verdict(redis: RedisClient) -> bool:
    return any(redis.hexists(name, JobField.VERDICT) for name in arriving(redis))


def test_a_result_can_be_followed_through_the_death_of_a_worker(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker("first", concurrency=1)
    id = submit(http, "slow", FIRST_CHUNKS)
    with http.stream("GET", f"/jobs/{id}/result", params={"follow": "true"}) as answer:
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.status_code == 200
        assert answer.headers["ETag"] == f'"{id}"'
        blocks = answer.iter_raw()
        got = next(blocks)
        while got.count(b"\n") < 65:
            got += next(blocks)
        assert http.get(f"/jobs/{id}/result").status_code == 409, "it is not complete yet"
        kill_group(kept_stack.processes["first"])
        kept_stack.start_worker("second", concurrency=2)
        got += b"".join(blocks)
    assert got == http.get(f"/jobs/{id}/result").content
    assert got == WANTED[: len(got)]


@pytest.mark.parametrize("call", ["cancel", "delete"])
def test_what_is_followed_is_cut_short_where_the_job_comes_to_nothing(
    kept_stack: Stack, http: httpx.Client, call: str
) -> None:
    logged = len(kept_stack.log("gateway"))
    (kept_stack.folder / "stuck").touch()
    kept_stack.start_worker()
    id = submit(http, "stuck")
    begun(http, id)
    with http.stream("GET", f"/jobs/{id}/result", params={"follow": "true"}) as answer:
        assert answer.headers["X-Accel-Buffering"] == "no"
        assert answer.status_code == 200
        blocks = answer.iter_raw()
        assert next(blocks) == b"age,prediction\n"
        http.post(f"/jobs/{id}/cancel") if call == "cancel" else http.delete(f"/jobs/{id}")
        with pytest.raises(httpx.RemoteProtocolError):
            list(blocks)
    assert "Error handling request" not in kept_stack.log("gateway")[logged:]


def test_a_file_goes_in_and_its_result_comes_out_in_one_call(client: httpx.Client) -> None:
    sent = b"id,age,pclass\n007,25,3\n008,,1\n"
    answer = client.post("/predict", content=sent, headers=TYPE, params={"follow": "true"})
    id = answer.headers["Location"].rpartition("/")[2]
    assert answer.status_code == 200
    assert answer.content == client.get(f"/jobs/{id}/result").content
    assert wait(client, id)["status"] == "succeeded"
    assert client.get(f"/jobs/{id}/result", params={"follow": "true"}).content == answer.content
    row = {"features": [25, 3]}
    assert client.post("/predict", json=row, params={"follow": "true"}).status_code == 422
    assert client.post("/predict", json=row, params={"follow": "1"}).status_code == 422


def test_a_jobs_progress_comes_as_events_and_ends_with_an_end(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker("first", concurrency=2)
    id = submit(http, "slow", FIRST_CHUNKS)
    names, done = [], []
    with http.stream("GET", f"/jobs/{id}/events") as answer:
        assert answer.headers["X-Accel-Buffering"] == "no", "nginx would keep them to itself"
        assert answer.headers["Content-Type"] == "text/event-stream"
        for line in answer.iter_lines():
            if line.startswith("event: "):
                names.append(line.removeprefix("event: "))
            elif line.startswith("data: "):
                job = json.loads(line.removeprefix("data: "))
                done.append(job["progress"]["rows_done"])
    assert names == [*["progress"] * (len(names) - 1), "end"]
    assert (job["id"], job["status"]) == (id, "succeeded")
    assert done == sorted(done)
    assert len(set(done)) > 2, "it was notified of what happened in between"
    assert http.get(f"/jobs/{id}/events").text.count("event: end") == 1, "of a job that has ended, at once"
    http.delete(f"/jobs/{id}")
    assert http.get(f"/jobs/{id}/events").status_code == 410
