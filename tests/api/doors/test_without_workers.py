"""Doors of a gateway without workers."""

import httpx
from refusals import refused

ROWS = {"name": "x", "shape": [1, 2], "datatype": "FP64", "data": [25, 3]}


def test_without_a_worker_nothing_is_ready_and_the_wait_runs_out(http: httpx.Client) -> None:
    assert [http.get(path).status_code for path in ("/ping", "/v2/health/ready", "/v2/models/titanic/ready")] == [
        503
    ] * 3
    assert http.get("/v2/health/live").status_code == 200
    problem = refused(http.post("/v2/models/titanic/infer?wait=0.1", json={"inputs": [ROWS]}), 504, "is queued")
    assert http.get(f"/jobs/{problem['job']}").json()["status"] == "queued"
    http.delete(f"/jobs/{problem['job']}")
