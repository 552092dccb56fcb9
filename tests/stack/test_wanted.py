"""The number of wanted worker processes, with real programs: from none to some and back, whatever counts it."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from metrics import samples, total
from programs import Stack, http_client, until

from rowcast.jobs.progress.backlog import read_backlogs
from rowcast.jobs.records.redis_keys import key

ROWS = b"age,pclass\n" + b"25,3\n" * 1_000


@pytest.fixture(scope="module")
def scaled(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A stack with two upkeeps, and no worker yet. What is not wanted any more goes after a second."""
    stack = make_stack(ROWCAST_SCALE_DOWN_SECONDS="1", ROWCAST_BACKLOG_SECONDS="0.002", ROWCAST_CHUNK_ROWS="64")
    stack.start_gateway()
    stack.start_upkeep()
    stack.start("upkeep-2", "upkeep")
    yield stack
    stack.stop_all()
    stack.server.stop()


@pytest.fixture
def http(scaled: Stack) -> Iterator[httpx.Client]:
    with http_client(scaled.url, timeout=60) as client:
        yield client


def wanted(http: httpx.Client) -> int:
    """Returns the number that `/queue` shows."""
    return int(http.get("/queue").json()["wanted_processes"])


def test_work_without_a_worker_makes_processes_wanted_and_its_end_makes_none_wanted(
    scaled: Stack, http: httpx.Client
) -> None:
    assert wanted(http) == 0
    row = http.post("/predict", json={"features": [25, 3]}).json()["id"]
    until(lambda: wanted(http) == 1, "a row makes one process wanted")
    batch = http.post("/predict", files={"file": ("in.csv", ROWS)}).json()["id"]
    until(lambda: wanted(http) == 17, "one for each chunk, because fewer take too long")
    found = samples(http)
    assert total(found, "rowcast_wanted_processes") == 17
    assert scaled.redis.zcard(key("wanted")) == 17, "what KEDA reads"

    scaled.start_worker()
    for id in (row, batch):
        until(lambda id=id: http.get(f"/jobs/{id}").json()["status"] == "succeeded", "the job ends")
    assert read_backlogs(scaled.redis)[""].row_seconds["titanic@1"] > 0, "a real worker has measured a row"
    until(lambda: wanted(http) == 0, "nothing is to be done any more")
    scaled.stop("worker")


def test_an_upload_makes_a_process_wanted_before_it_has_ended(scaled: Stack, http: httpx.Client) -> None:
    seen = []

    def slowly() -> Iterator[bytes]:
        yield b"age,pclass\n"
        until(lambda: wanted(http) == 1, "an upload without a chunk makes a process wanted")
        seen.append(True)
        yield ROWS.partition(b"\n")[2]

    with http_client(scaled.url, timeout=60) as sender:
        job = sender.post("/predict", content=slowly(), headers={"Content-Type": "text/csv"}).json()
    assert seen
    assert http.post(f"/jobs/{job['id']}/cancel").is_success
    until(lambda: wanted(http) == 0, "a cancelled job wants nothing")
