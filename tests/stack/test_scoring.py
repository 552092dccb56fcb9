"""The main job, through HTTP and the queue: what comes back is what `model.predict` gives for the whole file."""

import csv
import gzip
import hashlib
import io
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pandas as pd
import pytest
import sklearn
from own_code import pickle_here
from programs import ROOT, Stack, until
from registering import FEW_ALONE
from scored import submit, wait

from rowcast import Client
from rowcast.client import JobFailed
from rowcast.models.loading.load import LoadedModel, load
from rowcast.models.model_manifest import Draft, Feature, Requirement
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.train import train

TRACE = "0af7651916cd43dd8448eb211c80319c"
TITANIC = ROOT / "training" / "data" / "titanic.csv"
DATA = Path(os.environ.get("ROWCAST_TEST_DATA", ROOT.parent / "shared" / "data"))


MANY_ROWS = 60_000
"""Rows of the flights that are several chunks."""


@pytest.fixture(scope="module")
def registry(stack: Stack) -> Registry:
    return Registry(Storage(str(stack.models)))


@pytest.fixture(scope="module")
def flights() -> bytes:
    file = DATA / "flights.csv.gz"
    if not file.exists():
        pytest.skip(f"the flights are not at {file}; ROWCAST_TEST_DATA names the folder that has them")
    return gzip.decompress(file.read_bytes())


@pytest.fixture(scope="module")
def flights_cut(flights: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    cut = tmp_path_factory.mktemp("flights") / "flights.csv"
    cut.write_bytes(b"".join(flights.splitlines(keepends=True)[:6_001]))
    return cut


def opened(registry: Registry, reference: str) -> LoadedModel:
    return load(registry, registry.resolve(reference), "strict")


def table(data: bytes, model: LoadedModel) -> pd.DataFrame:
    """The ten lines that a user has now."""
    text = [feature.name for feature in model.manifest.features if feature.kind == "text"]
    kinds = dict.fromkeys(text, "object")
    whole = pd.read_csv(io.BytesIO(data), keep_default_na=False, na_values=[""], dtype=kinds)
    return whole[model.manifest.feature_names]


def score(client: httpx.Client, body: object, **options: object) -> tuple[dict, bytes]:
    """Submits a CSV, waits for its end, and answers the job and the result."""
    headers = {"Content-Type": "text/csv"}
    made = client.post("/predict", content=body, headers=headers, params={"wait": 60, **options})
    assert made.status_code in (200, 202), made.text
    job = wait(client, made.json()["id"])
    assert job["status"] == "succeeded", job
    return job, client.get(f"/jobs/{job['id']}/result").content


def assert_joined(data: bytes, result: bytes, columns: dict[str, list[str]]) -> None:
    """Each line of the result is the input's line, byte for byte, and the cells of `columns`."""
    lines, results = data.splitlines(keepends=True), result.splitlines(keepends=True)
    assert len(lines) == len(results)
    assert results[0].decode().strip().split(",")[-len(columns) :] == list(columns)
    for index, cells in enumerate(zip(*columns.values(), strict=True), 1):
        assert results[index] == lines[index].rstrip(b"\n") + b"," + ",".join(cells).encode() + b"\n"


def test_one_row_is_answered_with_its_prediction(client: httpx.Client) -> None:
    answer = client.post(
        "/predict", json={"features": [25, 3]}, headers={"Prefer": "handling=strict, wait=30; foo=bar"}
    )
    assert (answer.status_code, answer.json()["prediction"]) == (200, 0)
    assert answer.headers["Preference-Applied"] == "wait=30"
    job = client.get(f"/jobs/{answer.json()['job']}").json()
    assert (job["kind"], job["status"], job["result"]) == ("single", "succeeded", {"prediction": 0})
    assert client.get(f"/jobs/{job['id']}/result").json() == {"prediction": 0}


def test_one_row_is_predicted_as_the_model_predicts_it(client: httpx.Client, registry: Registry) -> None:
    model = opened(registry, "titanic")
    for row in ([25, 3], [2, 1], [None, 2], [60.5, 1]):
        body = {"features": dict(zip(["age", "pclass"], row, strict=True)), "probabilities": True}
        answer = client.post("/predict", json=body, params={"wait": 30}).json()
        frame = pd.DataFrame([row], columns=["age", "pclass"], dtype=float)
        assert answer["prediction"] == model.estimator.predict(frame)[0]
        assert list(answer["probabilities"].values()) == model.estimator.predict_proba(frame)[0].tolist()


def test_a_job_is_202_at_once_and_can_be_waited_for(client: httpx.Client) -> None:
    made = client.post("/predict", json={"features": [25, 3]})
    assert made.status_code == 202
    assert made.headers["Retry-After"] == "1"
    job = client.get(made.headers["Location"], params={"wait": 30}).json()
    assert job["status"] == "succeeded"


def test_a_service_with_a_wait_of_its_own_answers_like_a_synchronous_api(make_stack: Callable[..., Stack]) -> None:
    stack = make_stack(ROWCAST_PREDICT_WAIT="30")
    stack.start_gateway()
    stack.start_worker(concurrency=1)
    answer = httpx.post(f"{stack.url}/predict", json={"features": [25, 3]}, timeout=60)
    assert (answer.status_code, answer.json()["prediction"]) == (200, 0)
    stack.stop_all()


def test_titanic_joined_is_the_inputs_bytes_and_the_models_predictions(
    client: httpx.Client, registry: Registry
) -> None:
    data = TITANIC.read_bytes()
    job, result = score(client, data, probabilities=True)
    model = opened(registry, "titanic")
    frame = table(data, model)
    chances = model.estimator.predict_proba(frame)
    columns = {
        "prediction": [str(label) for label in model.estimator.predict(frame).tolist()],
        "probability_0": [repr(chance) for chance in chances[:, 0].tolist()],
        "probability_1": [repr(chance) for chance in chances[:, 1].tolist()],
    }
    assert_joined(data, result, columns)
    assert job["input"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert job["progress"] | {"rows_per_second": None} == {
        "rows_total": 1309,
        "rows_done": 1309,
        "rows_failed": 0,
        "fraction": 1.0,
        "rows_per_second": None,
        "eta_seconds": None,
    }
    counts = {label: columns["prediction"].count(label) for label in ("0", "1")}
    assert job["result"] == {"rows": 1309, "bytes": len(result), "summary": {"classes": counts}}


def test_flights_come_back_whole_and_exact(
    client: httpx.Client, registry: Registry, flights: bytes, flights_cut: Path
) -> None:
    train(flights_cut, "late", "flights", registry, alone=FEW_ALONE)
    flights = b"".join(flights.splitlines(keepends=True)[: MANY_ROWS + 1])
    job, result = score(client, flights, model="flights", probabilities=True)
    assert job["progress"]["rows_done"] == job["progress"]["rows_total"] == MANY_ROWS
    model = opened(registry, "flights")
    frame = table(flights, model)
    chances = model.estimator.predict_proba(frame)
    columns = {
        "prediction": [str(label) for label in model.estimator.predict(frame).tolist()],
        "probability_0": [repr(chance) for chance in chances[:, 0].tolist()],
        "probability_1": [repr(chance) for chance in chances[:, 1].tolist()],
    }
    assert_joined(flights, result, columns)


@pytest.mark.parametrize("estimator", ["logistic_regression", "hist_gradient_boosting_regressor"])
def test_a_linear_model_and_a_regressor_are_exact_over_chunks(
    client: httpx.Client, registry: Registry, flights: bytes, flights_cut: Path, estimator: str
) -> None:
    target = "dep_delay" if estimator.endswith("regressor") else "late"
    features = ["month", "day", "sched_dep_time", "sched_arr_time", "distance", "carrier", "origin"]
    train(flights_cut, target, estimator, registry, features=features, estimator=estimator, alone=FEW_ALONE)
    data = b"".join(flights.splitlines(keepends=True)[: MANY_ROWS + 1])
    job, result = score(client, data, model=estimator, output="predictions", key="flight,tailnum")
    model = opened(registry, estimator)
    predictions = model.estimator.predict(table(data, model)).tolist()
    rows = list(csv.reader(io.StringIO(result.decode())))
    sent = list(csv.DictReader(io.StringIO(data.decode())))
    assert rows[0] == ["flight", "tailnum", "prediction"]
    assert [row[2] for row in rows[1:]] == [repr(value) for value in predictions]
    assert [row[:2] for row in rows[1:]] == [[row["flight"], row["tailnum"]] for row in sent]
    if estimator.endswith("regressor"):
        summary = job["result"]["summary"]
        assert (summary["min"], summary["max"]) == (min(predictions), max(predictions))
        assert summary["mean"] == pytest.approx(sum(predictions) / len(predictions))
        assert sum(summary["histogram"]["counts"]) == len(predictions)
        assert len(summary["histogram"]["counts"]) == 20


def test_every_form_of_a_body_gives_the_same_predictions(client: httpx.Client) -> None:
    rows = [{"age": 25, "pclass": 3}, {"age": None, "pclass": 1}, {"age": 2.5, "pclass": 1}]
    text = b"age,pclass\n25,3\n,1\n2.5,1\n"
    _, wanted = score(client, text)
    bodies = {
        "list": {"json": {"instances": [[25, 3], [None, 1], [2.5, 1]]}},
        "objects": {"json": {"instances": rows}},
        "ndjson": {
            "content": b"".join(json.dumps(row).encode() + b"\n" for row in rows),
            "headers": {"Content-Type": "application/x-ndjson"},
        },
        "form": {"files": {"file": ("in.csv", text, "text/csv")}, "data": {"on_error": "fail"}},
        "gzipped form": {"files": {"file": ("in.csv.gz", gzip.compress(text), "application/gzip")}},
        "gzip": {
            "content": gzip.compress(text),
            "headers": {"Content-Type": "text/csv", "Content-Encoding": "gzip"},
        },
        "two gzip members": {
            "content": gzip.compress(text[:14]) + gzip.compress(text[14:]),
            "headers": {"Content-Type": "text/csv", "Content-Encoding": "gzip"},
        },
        "chunked": {"content": iter([text[:3], text[3:20], text[20:]]), "headers": {"Content-Type": "text/csv"}},
    }
    for name, body in bodies.items():
        made = client.post("/predict", params={"wait": 30}, **body)  # type: ignore[arg-type]
        assert made.status_code == 200, (name, made.text)
        assert client.get(f"/jobs/{made.json()['id']}/result").content == wanted, name


def test_bad_rows_keep_their_place_and_are_listed(client: httpx.Client) -> None:
    data = b'id,age,pclass\r\n007,25,3\r\n008,old,3\r\n\r\n009,30\r\n010,,2\r\n"0\n11",1e3,1\r\n012,5,1,9'
    job, result = score(client, data)
    lines = result.split(b"\r\n")
    assert lines[0] == b"id,age,pclass,prediction"
    assert [line.rsplit(b",", 1)[0] for line in lines[1:7]] == [
        b"007,25,3", b"008,old,3", b"009,30", b"010,,2", b'"0\n11",1e3,1', b"012,5,1,9",
    ]  # fmt: skip
    assert [line.rsplit(b",", 1)[1] != b"" for line in lines[1:7]] == [True, False, False, True, True, False]
    assert (job["progress"]["rows_total"], job["progress"]["rows_failed"]) == (6, 3)
    errors = list(csv.DictReader(io.StringIO(client.get(f"/jobs/{job['id']}/errors").text)))
    assert [(error["row"], error["column"], error["value"]) for error in errors] == [
        ("2", "age", "old"), ("3", "", ""), ("6", "", ""),
    ]  # fmt: skip


def test_a_job_can_fail_at_its_first_bad_row_or_after_some(client: httpx.Client) -> None:
    body = b"age,pclass\n25,3\nold,3\nolder,3\n"
    for options, status in (
        ({"on_error": "fail"}, "failed"),
        ({"max_errors": 1}, "failed"),
        ({"max_errors": 2}, "succeeded"),
    ):
        headers = {"Content-Type": "text/csv"}
        job = client.post("/predict", content=body, headers=headers, params={"wait": 30, **options}).json()
        assert job["status"] == status, job
        answer = client.get(f"/jobs/{job['id']}/result")
        assert answer.status_code == (409 if status == "failed" else 200)
        if "on_error" in options:
            (fault,) = job["error"]["errors"]
            assert fault["where"] == "row 2, column age"
            assert fault["message"].startswith("not a number")
            assert answer.json()["error"] == job["error"]


def test_a_file_in_which_every_row_is_bad_fails_and_its_rows_can_be_read(client: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv"}
    body = b"age,pclass\n25,3,\n26,1,\n"
    job = client.post("/predict", content=body, headers=headers, params={"wait": 30}).json()
    assert (job["status"], job["error"]["type"]) == ("failed", "urn:rowcast:problem:every-row-bad")
    assert "every row has one field more than the header: a trailing delimiter?" in job["error"]["detail"]
    assert client.get(f"/jobs/{job['id']}/errors").text.count("has 3 fields") == 2
    refused = client.post(f"/jobs/{job['id']}/retry")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:rowcast:problem:not-retryable")
    assert refused.json()["error"] == job["error"]
    with Client(str(client.base_url)) as mine, pytest.raises(JobFailed) as caught:
        mine.job(job["id"]).wait()
    assert caught.value.type == job["error"]["type"]


def test_other_delimiters_no_header_and_a_byte_order_mark(client: httpx.Client) -> None:
    _, result = score(client, b"\xef\xbb\xbfpclass;age\n3;25\n", delimiter=";")
    assert result == b"\xef\xbb\xbfpclass;age;prediction\n3;25;0\n"
    _, result = score(client, b"25\t3\n2\t1\n", delimiter="tab", header=False)
    assert result == b"25\t3\t0\n2\t1\t1\n"
    _, result = score(client, b"age,pclass\n25,3\n", output="predictions", prediction_column="it, says")
    assert result == b'"it, says"\n0\n'


def test_the_same_key_gives_the_same_job(client: httpx.Client) -> None:
    headers = {"Content-Type": "text/csv", "Idempotency-Key": f"trip-{time.time_ns()}"}
    body = b"age,pclass\n25,3\n"
    first = client.post("/predict", content=body, headers=headers)
    again = client.post("/predict", content=body, headers=headers)
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert first.json()["id"] == again.json()["id"]
    assert client.post("/predict", content=body + b"26,1\n", headers=headers).status_code == 422
    assert client.post("/predict", content=body, headers=headers, params={"on_error": "fail"}).status_code == 422


def test_a_deleted_job_is_gone_with_its_files_and_says_so(client: httpx.Client, stack: Stack) -> None:
    job, _ = score(client, b"age,pclass\n25,3\nold,3\n")
    assert [file for file in stack.files() if job["id"] in file]
    assert client.delete(f"/jobs/{job['id']}").status_code == 204
    assert not [file for file in stack.files() if job["id"] in file]
    for method, path in (("GET", ""), ("GET", "/result"), ("GET", "/errors"), ("POST", "/cancel"), ("DELETE", "")):
        assert client.request(method, f"/jobs/{job['id']}{path}").status_code == 410
    assert job["id"] not in client.get("/jobs").text


def test_jobs_are_listed_a_page_at_a_time(client: httpx.Client) -> None:
    ids = [client.post("/predict", json={"features": [25, 3]}).json()["id"] for _ in range(5)]
    page = client.get("/jobs", params={"limit": 2}).json()
    seen = [job["id"] for job in page["jobs"]]
    while page["next"] and len(seen) < 5:
        page = client.get(page["next"]).json()
        seen += [job["id"] for job in page["jobs"]]
    assert seen[:5] == ids[::-1]
    assert {job["status"] for job in client.get("/jobs?status=succeeded").json()["jobs"]} <= {"succeeded"}


def test_models_are_listed_with_what_they_promise(client: httpx.Client) -> None:
    models = {model["name"]: model for model in client.get("/models").json()["models"]}
    assert models["titanic"]["default"] is True
    assert models["titanic"]["aliases"]["production"] == "1"
    version = client.get("/models/titanic/versions/1").json()
    assert [feature["name"] for feature in version["features"]] == ["age", "pclass"]
    assert version["task"] == "classification"
    assert "signature" not in version
    assert client.get("/models/titanic").json() == models["titanic"]


def test_it_is_ready_and_says_of_what(client: httpx.Client) -> None:
    answer = client.get("/ready")
    assert answer.status_code == 200
    assert {name: check["ok"] for name, check in answer.json()["checks"].items()} == dict.fromkeys(
        ("redis", "store", "models", "workers"), True
    )


def test_every_request_and_every_step_of_a_job_stands_in_the_log(client: httpx.Client, stack: Stack) -> None:
    made = client.post(
        "/predict?wait=30",
        content=b"age,pclass\n25,3\n",
        headers={"Content-Type": "text/csv", "X-Request-ID": "trace-me", "traceparent": f"00-{TRACE}-{'1' * 16}-01"},
    )
    job = made.json()["id"]
    assert made.headers["X-Trace-ID"] == TRACE

    def logged() -> dict[str, dict]:
        texts = (line for name in ("gateway", "worker") for line in stack.log(name).splitlines())
        lines = [json.loads(text) for text in texts if text.startswith("{")]
        return {line["event"]: line for line in lines if line.get("request_id") == "trace-me"}

    # The request is logged after its answer was sent.
    until(lambda: logged().keys() >= {"request", "job_accepted", "chunk_scored"}, "all of it stands in the log")
    mine = logged()
    assert mine["request"]["status"] == 200
    assert {line["job"] for line in mine.values()} == {job}
    assert {line["trace_id"] for line in mine.values()} == {TRACE}


def test_the_line_of_a_row_has_the_ids_of_its_request(client: httpx.Client, stack: Stack) -> None:
    made = client.post("/predict?wait=30", json={"features": [25, 3]})
    ids = {"request_id": made.headers["X-Request-ID"], "trace_id": made.headers["X-Trace-ID"]}

    def logged() -> dict[str, dict]:
        texts = (line for name in ("gateway", "worker") for line in stack.log(name).splitlines())
        lines = [json.loads(text) for text in texts if text.startswith("{")]
        return {line["event"]: line for line in lines if line.items() >= ids.items()}

    until(lambda: logged().keys() >= {"request", "job_accepted", "rows_predicted"}, "all of it stands in the log")
    assert len({line["job"] for line in logged().values()}) == 1
    assert client.get(f"/jobs/{logged()['request']['job']}").json()["status"] == "succeeded"


def test_versions_whose_own_code_has_one_name_are_scored_side_by_side_also_isolated(
    client: httpx.Client, registry: Registry, stack: Stack, tmp_path: Path
) -> None:
    features = [Feature(name="age", kind="number", missing=False)]
    libraries = {"scikit-learn": str(sklearn.__version__)}
    draft = Draft(task="classification", features=features, classes=[0, 1], libraries=libraries)
    for limit in (10, 50):
        data, code = pickle_here(tmp_path / str(limit), limit, "Deadly")
        registry.register("own", data, draft, code=code)
    lacking = draft.model_copy(update={"requires": {"no_such": Requirement(distribution="no-such", version="4.7")}})
    registry.register("lacking", b"", lacking)

    def both(age: float) -> list[dict]:
        row = {"features": [age]}
        return [client.post("/predict?wait=60", json=row | {"model": f"own@{v}"}).json() for v in (1, 2)]

    for age, wanted in ((5, [0, 0]), (30, [1, 0]), (60, [1, 1])):
        assert [answer["prediction"] for answer in both(age)] == wanted
    assert ["predict ended its process" in answer["detail"] for answer in both(66)] == [True, True]
    for version, predictions in (("1", "0,1,,1"), ("2", "0,0,,1")):
        id = submit(client, f"own@{version}", b"age\n5\n30\n66\n60\n")
        assert wait(client, id)["status"] == "succeeded"
        rows = csv.DictReader(io.StringIO(client.get(f"/jobs/{id}/result").text))
        assert ",".join(row["prediction"] for row in rows) == predictions

    ready = client.get("/ready")  # the processes that took the place of those that died looked again
    assert ready.status_code == 200
    assert "needs no-such 4.7, which is not installed" in ready.json()["checks"]["models"]["unopenable"]["lacking@1"]
    id = submit(client, "lacking", b"age\n5\n")
    assert "pip install no-such==4.7." in wait(client, id)["error"]["detail"]


def test_a_file_that_was_scored_before_is_not_scored_again(client: httpx.Client, stack: Stack) -> None:
    def send(body: bytes, **options: object) -> httpx.Response:
        query = {"wait": 60, "reuse": "true", **options}
        return client.post("/predict", content=body, headers={"Content-Type": "text/csv"}, params=query)

    body = b"age,pclass\n" + b"%d,3\n" % time.time_ns()
    first = client.post("/predict", content=body, headers={"Content-Type": "text/csv"}, params={"wait": 60}).json()
    files = stack.files()
    for again in (send(body), send(body, tags="run:nightly")):
        assert (again.status_code, again.headers["Job-Reused"]) == (200, "true")
        assert again.json()["id"] == first["id"]
    assert stack.files() == files, "nothing is left of the files that were sent again"
    for other in (send(body + b"1,1\n"), send(body, output="predictions"), send(body, on_error="column")):
        assert "Job-Reused" not in other.headers
        assert other.json()["status"] == "succeeded"
    newer = send(body, model="titanic@1")
    assert newer.json()["id"] == first["id"], "the same version under another name"
    client.delete(f"/jobs/{first['id']}")
    made = send(body)
    assert (made.status_code, made.json()["id"] == first["id"]) == (200, False)
    assert "Job-Reused" not in made.headers
    stack.audit()


def test_reuse_is_for_files_that_are_not_followed(client: httpx.Client) -> None:
    answer = client.post("/predict", json={"features": [25, 3], "reuse": True})
    assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "reuse")
    answer = client.post(
        "/predict", content=b"age,pclass\n25,3\n", params={"reuse": "true", "follow": "true"},
        headers={"Content-Type": "text/csv"},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["errors"][0]["message"]) == (422, "cannot be combined with follow")
