"""Containers that die, or go, in the middle of a job: it ends with every row, once."""

import os
import signal
from collections.abc import Callable, Iterator

import httpx
import pytest
from people import AGES, assert_whole, begun, ended, people, submit
from programs import http_client, until

pytestmark = [pytest.mark.timeout(600), pytest.mark.xdist_group("compose"), pytest.mark.usefixtures("slow")]

CHUNKS = 9

Start = Callable[[int], str]


def kill(container: dict) -> None:
    """Kills its first process from outside, as the kernel would; `docker kill` would keep it from being restarted."""
    os.kill(container["State"]["Pid"], signal.SIGKILL)


@pytest.fixture
def start(compose, client: httpx.Client) -> Iterator[Start]:
    """Starts a job with this number of chunks and waits until it is in full swing; in the end it is whole."""
    jobs = []

    def start(chunks: int) -> str:
        rows = chunks * compose.chunk_rows
        jobs.append((submit(client, people(rows, AGES[:-1]), model="slow")["id"], rows))
        begun(client, jobs[-1][0])
        return jobs[-1][0]

    yield start
    with http_client(compose.url, timeout=120) as again:
        for id, rows in jobs:
            assert_whole(again, id, rows)
    compose("exec", "--no-TTY", "gateway", "python", "-m", "rowcast.cli", "audit")


def test_a_worker_that_is_killed_is_replaced_and_its_chunk_is_done_again(
    compose, client: httpx.Client, start: Start
) -> None:
    workers = compose.containers("worker")  # asked for now: it takes seconds, in which the job could end
    id = start(CHUNKS)
    kill(workers[0])
    until(lambda: compose.restarts(workers[0]) == 1, "it is started again")
    assert ended(client, id)["status"] == "succeeded"
    # Docker keeps the log of a container that it starts again, so the victim's own second life is in it, too.
    assert 2 in {line["attempt"] for worker in workers for line in compose.events(worker, "chunk_scored", id)}


def test_of_three_workers_one_stays_and_nothing_is_broken_off(compose, client: httpx.Client, start: Start) -> None:
    id = start(CHUNKS)
    before = compose.containers("worker")
    compose.scale(1)
    assert len(compose.containers("worker")) == 1
    compose.scale(3)
    assert len(before) == len(compose.containers("worker")) == 3
    assert ended(client, id)["status"] == "succeeded"
    # The logs of those that went are gone with them; what they had broken off would be another's second attempt.
    scored = [line for worker in compose.containers("worker") for line in compose.events(worker, "chunk_scored", id)]
    assert {line["attempt"] for line in scored} == {1}


@pytest.mark.parametrize("service", ["redis", "gateway", "upkeep"])
def test_another_container_that_is_killed_comes_back_and_the_job_goes_on(compose, start: Start, service: str) -> None:
    start(CHUNKS)
    (victim,) = compose.containers(service)
    kill(victim)
    until(lambda: compose.restarts(victim) == 1, "it is started again")
    compose.scale(3)  # waits until all are healthy
