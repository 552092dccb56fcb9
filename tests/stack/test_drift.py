"""Drift through HTTP: each row is counted once although a worker is killed, and a job can fail because of it."""

import io
import pickle

import estimators
import httpx
import numpy as np
import pandas as pd
import pytest
import sklearn
from programs import Stack, kill_group, until
from psi import psi
from scored import CSV, ROWS, WANTED, submit, wait

from rowcast.jobs.records.redis_keys import key
from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.registration import register
from training.sample.sample_profile import profile_of

SAMPLE = pd.Series(np.random.default_rng(5).normal(25, 8, 1_000).round())
BATCH = pd.read_csv(io.BytesIO(CSV))["age"]
WANTED_PSI = {"age": psi(SAMPLE, BATCH), "prediction": psi((SAMPLE > 30).astype(str), (BATCH > 30).astype(str))}


def add_watched(stack: Stack) -> None:
    """Registers `watched`, which does not come back while the file `stuck` is there, with a profile of `SAMPLE`."""
    model = estimators.Stuck(str(stack.folder)).fit(np.zeros((2, 1)), [0, 1])
    draft = Draft(
        task="classification",
        features=[Feature(name="age", kind="number", missing=False)],
        classes=[0, 1],
        libraries={"python": "3", "scikit-learn": str(sklearn.__version__)},
    )
    ages = SAMPLE.to_numpy()
    profile = profile_of(draft, [ages], (ages > 30).astype(int))
    registry = Registry(Storage(str(stack.models)))
    if not registry.versions("watched"):
        register(registry, "watched", pickle.dumps(model), draft, None, profile=profile)


def psi_in(job: dict) -> dict[str, float]:
    return {one["feature"]: one["psi"] for one in job["drift"]["columns"]}


def test_drift_counts_each_row_once_and_can_fail_a_job(kept_stack: Stack, http: httpx.Client) -> None:
    add_watched(kept_stack)
    wanted = {name: pytest.approx(value, abs=1e-6) for name, value in WANTED_PSI.items()}
    kept_stack.start_worker("first", concurrency=1)
    id = submit(http, "watched")
    wait(http, id)
    (kept_stack.folder / "stuck").touch()
    stopped = submit(http, "watched")
    until(lambda: kept_stack.redis.hlen(key("leases")) == 1, "it scores a chunk")
    kill_group(kept_stack.processes.pop("first"))
    (kept_stack.folder / "stuck").unlink()
    kept_stack.start_worker("second")
    for one in (id, stopped):
        job = wait(http, one)
        assert (job["status"], job["drift"]["rows"], job["drift"]["sample_rows"]) == ("succeeded", ROWS, 1_000)
        assert psi_in(job) == wanted
        warned = [(one["feature"], one["psi"]) for one in job["warnings"] if one["type"] == "drift"]
        assert warned == [(name, value) for name, value in psi_in(job).items() if value >= 0.2]
    assert warned

    failed = wait(http, submit(http, "watched", fail_if_drift=0.25))
    assert (failed["status"], failed["error"]["type"]) == ("failed", "urn:rowcast:problem:drifted")
    assert "'age' (PSI " in failed["error"]["detail"]
    assert psi_in(failed) == wanted
    assert http.get(f"/jobs/{failed['id']}/result").status_code == 409
    assert http.get(f"/jobs/{failed['id']}/result", params={"partial": "true"}).content == WANTED
    assert wait(http, submit(http, "watched", fail_if_drift=20))["status"] == "succeeded"
    assert '<h2 id="drift">' in http.get(f"/ui/jobs/{id}").text
    assert "Frames are the sample" in http.get("/ui/models/watched").text


def test_drift_of_few_rows_pairs_and_repaired_files(kept_stack: Stack, http: httpx.Client) -> None:
    add_watched(kept_stack)
    kept_stack.start_worker()
    few = wait(http, submit(http, "watched", b"".join(CSV.splitlines(keepends=True)[:200]), fail_if_drift=0.25))
    assert (few["status"], few["drift"], few["warnings"]) == ("succeeded", None, [])
    single = http.post("/predict?model=watched&wait=30", json={"features": [99]}).json()["job"]
    assert http.get(f"/jobs/{single}").json()["drift"] is None
    pair = wait(http, submit(http, "watched,fixed"))
    assert psi_in(pair).keys() == WANTED_PSI.keys(), "it is compared with the sample of the first model"
    assert wait(http, submit(http, "fixed,watched"))["drift"] is None, "the first has no profile"
    refused = http.post("/predict?model=fixed&fail_if_drift=0.25", content=CSV, headers={"Content-Type": "text/csv"})
    assert refused.status_code == 422
    assert "fixed@1 has no profile" in refused.text

    broken = wait(http, submit(http, "watched", CSV + b"old\n"))
    assert broken["drift"]["rows"] == ROWS, "bad rows are not compared"
    rows = http.get(f"/jobs/{broken['id']}/errors", params={"as": "input"}).content.replace(b",old\n", b",70\n")
    assert http.post(f"/jobs/{broken['id']}/repair", files={"file": ("bad.csv", rows)}).status_code == 202
    repaired = wait(http, broken["id"])
    assert repaired["progress"]["rows_failed"] == 0
    assert repaired["drift"] == broken["drift"], "drift stays that of the rows that were sent"
