"""A CSV of ten chunks, its right answer, and what the fault tests ask of a job that had to live through something."""

import httpx
from programs import Stack, http_client, until

from rowcast.jobs.records.redis_keys import key

CHUNKS = 10
ROWS = 64 * CHUNKS
CSV = b"age\n" + b"".join(b"%d\n" % (number % 60) for number in range(ROWS))
WANTED = b"age,prediction\n" + b"".join(b"%d,%d\n" % (number % 60, number % 60 > 30) for number in range(ROWS))


def submit(http: httpx.Client, model: str, body: bytes = CSV, **options: object) -> str:
    response = http.post(
        "/predict", content=body, headers={"Content-Type": "text/csv"}, params={"model": model, **options}
    )
    assert response.status_code == 202, response.text
    return response.json()["id"]


def wait(http: httpx.Client, id: str) -> dict:
    """Returns the job when it has ended, or after two minutes."""
    for _ in range(2):
        job = http.get(f"/jobs/{id}", params={"wait": 60}).json()
        if job["status"] not in ("queued", "running"):
            break
    return job


def score(stack: Stack, body: bytes, **options: object) -> str:
    """Has `titanic` predict a file, and returns the job's id when it has ended."""
    with http_client(stack.url, timeout=90) as http:
        id = submit(http, "titanic", body, **options)
        wait(http, id)
    return id


def assert_whole(own_stack: Stack, http: httpx.Client, id: str) -> None:
    job = wait(http, id)
    assert job["status"] == "succeeded", job
    assert job["progress"]["rows_done"] == job["progress"]["rows_total"] == ROWS
    assert http.get(f"/jobs/{id}/result").content == WANTED
    assert not [file for file in own_stack.files() if id in file and "#" in file], "half-written files were left"
    until(lambda: not own_stack.redis.exists(key("leases"), key("due")), "nothing is in flight any more")


def begun(http: httpx.Client, id: str) -> None:
    until(lambda: http.get(f"/jobs/{id}").json()["status"] == "running", "the job runs")
