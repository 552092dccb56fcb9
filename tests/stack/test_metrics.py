"""Metrics: what `/metrics` and `/metrics/cluster` say agrees with what the service did, also as Prometheus reads it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from metrics import samples, total
from programs import ROOT, Stack, free_port, http_client, is_up, until

ROWS = b"age,pclass\n" + b"25,3\n" * 30 + b"many,3\n" + b"40,1\n" * 9
OLD = b"age,pclass\n" + b"70,1\n80,1\n" * 150
"""Passengers, all of them older than most of the sample."""
SERVICE_DISCOVERY = "dns_sd_configs: [{ names: [gateway], type: A, port: 5000 }]"
DASHBOARD = json.loads((ROOT / "deploy" / "grafana" / "rowcast.json").read_text())
EXPRESSIONS = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
BATCH, SINGLE = ({"kind": kind, "model": "titanic"} for kind in ("batch", "single"))


@pytest.fixture
def second(stack: Stack) -> Iterator[httpx.Client]:
    """A second gateway of the same service."""
    port = free_port()
    stack.start("second", "api", "--port", str(port))
    with http_client(f"http://127.0.0.1:{port}", timeout=30) as http:
        until(lambda: is_up(http, "/health"), "the second gateway answers")
        yield http
    stack.stop("second")


def test_every_job_row_and_chunk_is_counted_once(stack: Stack, client: httpx.Client) -> None:
    before = samples(client)
    job = client.post("/predict?wait=30", files={"file": ("rows.csv", ROWS)}).json()
    assert (job["status"], job["progress"]["rows_failed"]) == ("succeeded", 1)
    for features in ([25, 3], [40, 1], [None, 2]):
        assert client.post("/predict?wait=30", json={"features": features}).status_code == 200
    assert client.post("/predict?wait=30&max_errors=0", files={"file": ("rows.csv", ROWS)}).json()["status"] == "failed"
    found = samples(client)
    found.subtract(before)
    assert total(found, "rowcast_jobs_total", outcome="succeeded", **BATCH) == 1
    assert total(found, "rowcast_jobs_total", outcome="failed", **BATCH) == 1
    assert total(found, "rowcast_jobs_total", outcome="succeeded", **SINGLE) == 3
    assert total(found, "rowcast_rows_total", model="titanic", version="1", outcome="predicted") == 81
    assert total(found, "rowcast_rows_total", model="titanic", version="1", outcome="bad") == 2
    assert total(found, "rowcast_jobs_unaccounted") == 0
    assert total(found, "rowcast_chunk_seconds_count", model="titanic") == 2
    assert total(found, "rowcast_queue_wait_seconds_count", **BATCH) == 2
    assert total(found, "rowcast_queue_wait_seconds_count", **SINGLE) == 3
    assert total(found, "rowcast_queue_wait_seconds_bucket", le="+Inf", **SINGLE) == 3
    now = samples(client)
    loads = total(now, "rowcast_model_loads_total", model="titanic", version="1")
    assert loads == total(now, "rowcast_model_load_seconds_count", model="titanic", version="1") >= 1
    assert total(now, "rowcast_workers_online") == 1
    assert {"batch", "single"} == {dict(labels)["queue"] for name, labels in now if name == "rowcast_queue_depth"}
    own = samples(client, "/metrics")
    assert samples(client, "/metrics?all=true").keys() >= now.keys() | own.keys()
    assert not own.keys() & now.keys()


def test_a_gateway_counts_its_own_requests_by_route(client: httpx.Client) -> None:
    before = samples(client, "/metrics")
    client.get("/jobs/018c5f5c-0000-7000-8000-000000000000")
    client.get("/no/such/path/018c5f5c")
    found = samples(client, "/metrics") - before
    assert total(found, "rowcast_http_requests_total", route="/jobs/<job:id>", status="404") == 1
    assert total(found, "rowcast_http_requests_total", route="(unknown)", method="", status="404") == 1
    assert total(found, "rowcast_http_request_seconds_count", route="/jobs/<job:id>") == 1
    assert not [labels for _, labels in found if "018c5f5c" in str(labels)]
    now = samples(client, "/metrics")
    assert total(now, "rowcast_http_requests_in_progress") == 1, "only the one that asks"
    assert total(now, "process_resident_memory_bytes") > 0


@pytest.mark.usefixtures("prometheus_is_installed")
def test_prometheus_counts_what_two_gateways_show_once(
    stack: Stack, client: httpx.Client, second: httpx.Client, tmp_path: Path
) -> None:
    client.post("/predict?wait=30", files={"file": ("rows.csv", ROWS)})
    drift = client.post("/predict?wait=30", files={"file": ("rows.csv", OLD)}).json()["drift"]
    for one in drift["columns"]:
        shown = total(samples(second), "rowcast_drift_psi", model="titanic", version="1", feature=one["feature"])
        assert shown == pytest.approx(one["psi"], abs=1e-6)
    assert total(samples(client), "rowcast_rows_total") == total(samples(second), "rowcast_rows_total") > 0
    targets = [f"{one.base_url.host}:{one.base_url.port}" for one in (client, second)]
    with prometheus(tmp_path, targets) as query:
        until(
            lambda: len(query("rowcast_rows_total{model='titanic',version='1',outcome='predicted'}")) == 2,
            "both were read",
        )
        rows = total(samples(client), "rowcast_rows_total", version="1", model="titanic", outcome="predicted")
        (once,) = query("max without (instance) (rowcast_rows_total{model='titanic',version='1',outcome='predicted'})")
        assert once == rows
        until(lambda: query("rowcast:workers") == [1], "the rules were evaluated")
        until(lambda: query("sum(up)") == [4], "both paths of both gateways were read")
        client.post("/predict?wait=30", files={"file": ("rows.csv", ROWS)})  # what grows has a rate
        for expression in EXPRESSIONS:
            until(lambda one=expression: query(one), f"the dashboard's expression has an answer: {expression}")


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator:
    """Runs Prometheus with the files of `deploy/`. Yields a function that returns the values of an expression."""
    for file in (ROOT / "deploy" / "prometheus").glob("*.yml"):
        text = file.read_text().replace("_interval: 15s", "_interval: 1s")
        (folder / file.name).write_text(text.replace(SERVICE_DISCOVERY, f"static_configs: [{{targets: {targets}}}]"))
    address = f"127.0.0.1:{free_port()}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
    try:
        with http_client(f"http://{address}") as http:
            until(lambda: is_up(http, "/-/ready"), "Prometheus is ready")
            yield lambda expression: [
                float(one["value"][1])
                for one in http.get("/api/v1/query", params={"query": expression}).json()["data"]["result"]
            ]
    finally:
        process.terminate()
        process.wait()
