"""Single rows, files and API keys share the workers: none waits until another has ended. One process has to do all."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
from programs import Stack, free_port, http_client, is_up, until
from scored import CSV, assert_whole, begun, submit, wait

from rowcast.api_keys import new as new_key
from rowcast.jobs.records.redis_keys import key

CALLERS = 4


@contextmanager
def callers(url: str, model: str) -> Iterator[list[int]]:
    """Callers that send one row after the other until the block is left; how many each has had answered."""
    answered, is_over = [0] * CALLERS, threading.Event()

    def ask(number: int) -> None:
        with http_client(url, timeout=90) as http:
            while not is_over.is_set():
                body = {"features": [40], "model": model}
                assert http.post("/predict", json=body, headers={"Prefer": "wait=60"}).json()["prediction"] == 1
                answered[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: all(answered), "each caller had an answer")
        yield answered
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def test_rows_and_files_are_served_by_one_process_side_by_side(kept_stack: Stack, http: httpx.Client) -> None:
    kept_stack.start_worker(concurrency=1)
    redis, messages = kept_stack.redis, set()

    def has_ended(id: str) -> bool:
        messages.add((redis.llen(key("single")), redis.llen(key("batch"))))
        return bool(http.get(f"/jobs/{id}").json()["finished_at"])

    with callers(kept_stack.url, "fixed") as answered:
        before = sum(answered)
        file = submit(http, "fixed")
        until(lambda: has_ended(file), "the file is done while the rows go on")
        assert_whole(kept_stack, http, file)
        assert sum(answered) > before

        slow = submit(http, "slow", CSV[: CSV.index(b"\n", 600) + 1])  # a chunk takes a second
        begun(http, slow)
        before = sum(answered)
        until(lambda: has_ended(slow), "the slow file is done, too")
        chunks = wait(http, slow)["progress"]["rows_done"] // 64
        assert sum(answered) - before >= CALLERS * chunks, "rows were answered between its chunks"
    assert max(max(pair) for pair in messages) <= 1, "a message for the one process"


@contextmanager
def with_keys(stack: Stack, *names: str) -> Iterator[list[httpx.Client]]:
    """Starts a second gateway, with API keys. Yields a client for each key."""
    keys, port = [new_key(stack.folder / "keys", name) for name in names], free_port()
    stack.start("keyed", "api", "--port", str(port), ROWCAST_API_KEYS_FILE=str(stack.folder / "keys"))
    url = f"http://127.0.0.1:{port}"
    with ExitStack() as opened:
        clients = [opened.enter_context(http_client(url, timeout=90, headers={"X-API-Key": key})) for key in keys]
        until(lambda: is_up(clients[0], "/health"), "the gateway answers")
        yield clients


def test_a_key_with_one_file_waits_for_as_many_chunks_of_a_key_with_many(kept_stack: Stack, http: httpx.Client) -> None:
    with with_keys(kept_stack, "many", "one") as (many, one):
        hurried = [submit(many, "fixed", priority="high") for _ in range(4)]
        patient = submit(many, "fixed", priority="low")
        lone = submit(one, "fixed", priority="low")
        assert many.get("/queue").json()["chunks_waiting"] == 6 * 4
        kept_stack.start_worker(concurrency=1)
        ended = {id: wait(http, id)["finished_at"] for id in (*hurried, patient, lone)}
        assert max(ended, key=lambda id: ended[id]) == patient
        assert min(ended, key=lambda id: ended[id]) == lone, "the ten chunks of each other file are not before it"
        assert wait(http, patient)["started_at"] < max(ended[id] for id in hurried), "it did not wait for all of them"
        for id in (patient, lone):
            assert_whole(kept_stack, http, id)
