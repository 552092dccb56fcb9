"""Doors of a gateway without workers."""

import httpx
import pytest
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


@pytest.mark.parametrize("option", ["dry_run=true", "dry_run=false", "follow=true", "key=age", "dry_rum=true"])
def test_an_option_that_a_door_does_not_have_is_refused(http: httpx.Client, option: str) -> None:
    known = http.get("/jobs").json()["jobs"]
    name = option.partition("=")[0]
    words = (name, "unknown" if name == "dry_rum" else "is only for `POST /predict`")
    for path, body in (("/invocations", {"instances": [[25, 3]]}), ("/v2/models/titanic/infer", {"inputs": [ROWS]})):
        refused(http.post(f"{path}?{option}", json=body), 422, *words)
    csv = {"Content-Type": "text/csv"}
    refused(http.post(f"/invocations?{option}", content=b"age,pclass\n25,3\n", headers=csv), 422, *words)
    assert http.get("/jobs").json()["jobs"] == known
