"""Pools of workers with real programs: some models are served only by certain workers, and hold up no others."""

from collections.abc import Callable, Iterator

import estimators
import httpx
import numpy as np
import pandas as pd
import pytest
from metrics import samples, total
from parquet_files import PARQUET, parquet
from programs import SUPPORT, Stack, http_client, kill_group, until
from registering import register
from scored import CSV, WANTED, assert_whole, submit, wait

from rowcast.jobs.records.redis_keys import key, pool_key

pytestmark = pytest.mark.xdist_group("pools")

POOLS = "heavy=stuck;idle=picky"


@pytest.fixture(scope="module")
def pooled(make_stack: Callable[..., Stack]) -> Iterator[Stack]:
    """A gateway, upkeep and a worker of the default pool; the tests start those of the other pools."""
    stack = make_stack(ROWCAST_LEASE_SECONDS="3", ROWCAST_CHUNK_ROWS="64", ROWCAST_POOLS=POOLS, PYTHONPATH=str(SUPPORT))
    for kind in (estimators.Fixed, estimators.Stuck, estimators.Picky):
        model = kind(str(stack.folder)).fit(np.zeros((2, 1)), [0, 1])
        register(stack.models, kind.__name__.lower(), model, ["age"])
    stack.start_gateway()
    stack.start_upkeep()
    stack.start_worker(concurrency=1)
    yield stack
    stack.stop_all()
    stack.server.stop()


@pytest.fixture
def client(pooled: Stack) -> Iterator[httpx.Client]:
    with http_client(pooled.url, timeout=90) as http:
        yield http
        pooled.audit()


def predict(client: httpx.Client, model: str, wait: float = 60) -> httpx.Response:
    return client.post(f"/predict?wait={wait:g}", json={"model": model, "features": [40]})


def holders(client: httpx.Client, id: str) -> set[str]:
    """Returns the workers that scored the chunks of a job."""
    return {chunk["worker"].partition("/")[0] for chunk in client.get(f"/jobs/{id}/chunks").json()["chunks"]}


def test_a_stuck_model_holds_up_only_its_pool_and_a_killed_workers_chunk_stays_in_it(
    pooled: Stack, client: httpx.Client
) -> None:
    (pooled.folder / "stuck").touch()
    pooled.start_worker("heavy", 1, ROWCAST_POOL="heavy")
    stuck = submit(client, "stuck")
    until(lambda: pooled.redis.hlen(key("leases")) == 1, "the worker of the pool is stuck")
    row = predict(client, "stuck", 0.1)
    assert row.status_code == 202, row.text

    assert predict(client, "fixed").json()["prediction"] == 1
    file = submit(client, "fixed")
    assert wait(client, file)["status"] == "succeeded"
    assert client.get(f"/jobs/{stuck}").json()["progress"]["rows_done"] == 0
    both = client.post("/predict", json={"model": "stuck,picky", "features": [40]})
    assert (both.status_code, "two pools" in both.json()["detail"]) == (422, True)
    shadow = client.put("/models/fixed/aliases/latest/shadow", json={"model": "stuck@1"})
    assert (shadow.status_code, "different pools of workers" in shadow.json()["detail"]) == (422, True)

    kill_group(pooled.processes.pop("heavy"))
    (pooled.folder / "stuck").unlink()
    until(lambda: not pooled.redis.hlen(key("leases")), "its lease has ended")
    assert predict(client, "fixed").status_code == 200, "the process of the default pool was free"
    waiting = client.get(f"/jobs/{stuck}").json()
    assert (waiting["progress"]["rows_done"], waiting["pool"]) == (0, "heavy")

    pooled.start_worker("heavy-2", 1, ROWCAST_POOL="heavy")
    assert_whole(pooled, client, stuck)
    assert client.get(row.headers["Location"], params={"wait": 60}).json()["status"] == "succeeded"
    assert holders(client, stuck).isdisjoint(holders(client, file))
    assert client.delete(f"/jobs/{stuck}").is_success  # else it is made again when Redis is emptied
    pooled.stop("heavy-2")


def test_a_pool_without_a_worker_waits_and_says_so_whatever_happens_to_settings_and_redis(
    pooled: Stack, client: httpx.Client
) -> None:
    frame = pd.DataFrame({"age": [float(number % 60) for number in range(640)]})
    file = client.post("/predict", content=CSV, params={"model": "picky"}, headers={"Content-Type": "text/csv"}).json()
    assert file["warnings"] == [{"type": "no-worker", "message": "no worker of the pool idle is online; the job waits"}]
    converted = client.post("/predict", content=parquet(frame), params={"model": "picky"}, headers=PARQUET).json()
    ready = client.get("/ready").json()
    assert ready["ready"]
    assert "idle" in ready["checks"]["workers"]["pools_without_worker"]
    until(lambda: pooled.redis.zcard(pool_key("wanted", "idle")), "a process of the pool is wanted")
    assert total(samples(client), "rowcast_worker_processes", pool="idle") == 0

    pooled.stop("gateway")
    pooled.environment["ROWCAST_POOLS"] = ""
    pooled.start_gateway()
    moved = submit(client, "picky")
    assert_result(client, moved)
    pooled.redis.flushall()  # type: ignore[attr-defined]
    rebuilt = (file["id"], converted["id"], moved)
    until(lambda: all(client.get(f"/jobs/{id}").is_success for id in rebuilt), "upkeep has rebuilt the jobs")
    assert_result(client, moved)
    for id in (file["id"], converted["id"]):
        job = client.get(f"/jobs/{id}").json()
        assert (job["pool"], job["status"]) == ("idle", "queued"), "the setting of now does not move it"
    idle = {one["pool"]: one for one in client.get("/queue").json()["pools"]}["idle"]
    assert (idle["workers"], idle["chunks_waiting"]) == (0, 5), "a window of the file, and a conversion"

    pooled.start_worker("idle", 1, ROWCAST_POOL="idle")
    assert wait(client, converted["id"])["progress"]["rows_done"] == 640
    assert_whole(pooled, client, file["id"])
    assert client.get(f"/jobs/{converted['id']}/result", params={"format": "parquet"}).is_success
    assert holders(client, file["id"]).isdisjoint(holders(client, moved))


def assert_result(client: httpx.Client, id: str) -> None:
    assert wait(client, id)["status"] == "succeeded"
    assert client.get(f"/jobs/{id}/result").content == WANTED
