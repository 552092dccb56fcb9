"""Doors: what clients of MLflow's server and of the Open Inference Protocol get is what `model.predict` gives."""

import json
import pickle
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import sklearn
from mlflow_server import environment, mlflow_python
from programs import Stack
from refusals import refused
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from rowcast.models.loading.load import load
from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage

ROWS = 60
TRIPS = [
    Feature(name="fare", kind="number", missing=True),
    Feature(name="stops", kind="integer", missing=False),
    Feature(name="town", kind="text", missing=False),
    Feature(name="member", kind="boolean", missing=False),
]
NUMBERS = [Feature(name=name, kind="number", missing=False) for name in ("fare", "stops")]
ANSWERS = ["late", "on time", 'very "late"']
DATATYPES = {"fare": "FP64", "stops": "INT64", "town": "BYTES", "member": "BOOL"}


@dataclass(frozen=True)
class Known:
    """Registered estimators, and rows for them."""

    estimators: Mapping[str, Any]
    #: Rows with all features, and a column that no model has.
    frame: pd.DataFrame


@pytest.fixture(scope="module")
def known(stack: Stack) -> Known:
    random = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "fare": np.where(random.random(ROWS) < 0.2, np.nan, random.normal(30, 9, ROWS)),
            "note": "a, b",
            "stops": random.integers(0, 9, ROWS),
            "town": random.choice(["Aix", "Köln, Süd", "12"], ROWS),
            "member": random.random(ROWS) < 0.5,
        }
    )
    forest, numbers = HistGradientBoostingClassifier(max_iter=5), frame[["fare", "stops"]].fillna(1.0)
    encode = make_column_transformer(
        (OneHotEncoder(sparse_output=False), ["town"]), remainder="passthrough", verbose_feature_names_out=False
    )
    each = {
        "door_trips": (
            make_pipeline(encode, forest).fit(frame[[one.name for one in TRIPS]], random.choice(ANSWERS, ROWS)),
            {"task": "classification", "features": TRIPS, "classes": ANSWERS, "probabilities": True},
        ),
        "two_numbers": (
            DecisionTreeRegressor().fit(numbers.to_numpy(), random.normal(size=(ROWS, 2))),
            {"task": "regression", "features": NUMBERS, "outputs": ["low", "high"]},
        ),
        "two_labels": (
            DecisionTreeClassifier().fit(numbers.to_numpy(), random.integers(0, 2, (ROWS, 2))),
            {"task": "classification", "features": NUMBERS, "outputs": ["wet", "cold"]},
        ),
    }
    registry = Registry(Storage(str(stack.models)))
    for name, (estimator, draft) in each.items():
        libraries = {"python": "3", "scikit-learn": str(sklearn.__version__)}
        registry.register(name, pickle.dumps(estimator), Draft(**draft, libraries=libraries))
    return Known({name: estimator for name, (estimator, _) in each.items()}, frame)


def invoke(client: httpx.Client, body: object, **options: str) -> list:
    """Sends a body as MLflow's clients do: NaN is written as `NaN`."""
    headers = {"Content-Type": "application/json; charset=utf-8"}
    answer = client.post("/invocations", content=json.dumps(body), headers=headers, params=options)
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def infer(client: httpx.Client, model: str, inputs: list[dict], **others: object) -> dict:
    answer = client.post(f"/v2/models/{model}/infer", content=json.dumps({"inputs": inputs, **others}))
    assert answer.status_code == 200, answer.text
    return answer.json()


def columns(frame: pd.DataFrame) -> list[dict]:
    """Returns a tensor for each column."""
    return [
        {"name": name, "shape": [len(frame), 1], "datatype": DATATYPES[name], "data": frame[name].tolist()}
        for name in DATATYPES
    ]


@pytest.mark.parametrize("count", [1, ROWS])
def test_each_form_of_invocations_gives_what_the_model_predicts(client: httpx.Client, known: Known, count: int) -> None:
    frame = known.frame[:count]
    wanted = known.estimators["door_trips"].predict(frame[[one.name for one in TRIPS]]).tolist()
    in_order = frame[[one.name for one in TRIPS]].to_dict(orient="split")["data"]
    forms = {
        "dataframe_split": frame.to_dict(orient="split"),
        "dataframe_records": frame.to_dict(orient="records"),
        "instances": in_order,
        "inputs": frame.to_dict(orient="list"),
    }
    for form, rows in forms.items():
        assert invoke(client, {form: rows}, model="door_trips@latest") == wanted, form
    csv = frame.to_csv(index=False).encode()
    answer = client.post("/invocations?model=door_trips", content=csv, headers={"Content-Type": "text/csv"})
    assert answer.json() == {"predictions": wanted}
    job = client.get(f"/jobs/{answer.headers['Job-ID']}").json()
    assert (job["status"], job["model"], job["progress"]["rows_done"]) == (
        "succeeded", {"name": "door_trips", "version": "1"}, count,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, ROWS])
def test_tensors_give_what_the_model_predicts(client: httpx.Client, known: Known, count: int) -> None:
    frame, model = known.frame[:count], known.estimators["door_trips"]
    ask = [{"name": "predict_proba"}, {"name": "predict", "parameters": {"binary_data": False}}]
    answer = infer(client, "door_trips/versions/1", columns(frame), id="mine", outputs=ask, parameters={"a": 1})
    assert (answer["model_name"], answer["model_version"], answer["id"]) == ("door_trips", "1", "mine")
    shares, labels = answer["outputs"]
    table = frame[[one.name for one in TRIPS]]
    assert (shares["name"], shares["datatype"], shares["shape"]) == ("predict_proba", "FP64", [count, 3])
    assert shares["data"] == model.predict_proba(table).ravel().tolist()
    assert (labels["datatype"], labels["shape"], labels["parameters"]) == ("BYTES", [count, 1], {"content_type": "str"})
    assert labels["data"] == model.predict(table).tolist()
    assert client.get(f"/jobs/{answer['parameters']['job']}").json()["status"] == "succeeded"


@pytest.mark.parametrize("count", [1, ROWS])
@pytest.mark.parametrize(("name", "datatype"), [("two_numbers", "FP64"), ("two_labels", "INT64")])
def test_a_model_with_several_outputs_gives_a_column_for_each(
    client: httpx.Client, known: Known, name: str, datatype: str, count: int
) -> None:
    rows = known.frame[["fare", "stops"]].fillna(1.0).to_numpy()[:count]
    wanted = known.estimators[name].predict(rows)
    tensor = {"name": "x", "shape": list(rows.shape), "datatype": "FP64", "data": rows.tolist(), "parameters": None}
    assert infer(client, name, [tensor], id=None, outputs=None, parameters=None)["outputs"] == [
        {"name": "predict", "datatype": datatype, "shape": [count, 2], "data": wanted.ravel().tolist()}
    ]
    assert invoke(client, {"inputs": rows.tolist()}, model=name) == wanted.tolist()


def test_a_tensor_of_float32_is_the_numbers_that_float32_can_hold(client: httpx.Client, known: Known) -> None:
    rows = np.array([[0.1, 2.0], [1 / 3, 4.0]], np.float32)
    wanted = known.estimators["two_numbers"].predict(rows.astype(float))
    tensor = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [0.1, 2, 0.33333333333, 4]}
    assert infer(client, "two_numbers", [tensor])["outputs"][0]["data"] == wanted.ravel().tolist()


def test_one_bad_row_refuses_the_whole_call_with_the_reason(client: httpx.Client) -> None:
    body = b"age,pclass\n25,3\nold,3\n25,x\n"
    answer = client.post("/invocations", content=body, headers={"Content-Type": "text/csv"})
    problem = refused(answer, 422, "2 rows of 3", "row 2, column age")
    assert [fault["where"] for fault in problem["errors"]] == ["row 2, column age", "row 3, column pclass"]
    assert (problem["error_code"], problem["message"]) == ("BAD_REQUEST", problem["detail"])
    assert client.get(f"/jobs/{problem['job']}").json()["progress"]["rows_failed"] == 2
    every = client.post("/invocations", content=b"age,pclass\nold,3\n", headers={"Content-Type": "text/csv"})
    assert refused(every, 422)["errors"][0]["where"] == "row 1, column age"


def test_a_row_that_only_the_model_refuses_is_a_problem_of_the_door(client: httpx.Client, known: Known) -> None:
    for count in (1, 2):
        frame = known.frame[:count].assign(town="Nowhere")
        answer = client.post("/v2/models/door_trips/infer", json={"inputs": json.loads(json.dumps(columns(frame)))})
        problem = refused(answer, 422, "Nowhere")
        assert problem["error"] == problem["detail"]
        assert client.get(f"/jobs/{problem['job']}").json()["id"] == problem["job"]


def test_servers_and_models_say_that_they_are_ready_and_what_they_take(client: httpx.Client, known: Known) -> None:
    assert client.get("/ping").status_code == 200
    assert client.get("/version").text
    assert client.get("/v2").json()["extensions"] == []
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get("/v2/models/door_trips/ready").json() == {"name": "door_trips", "ready": True}
    assert client.get("/v2/models/door_trips/versions/1/ready").status_code == 200
    described = client.get("/v2/models/door_trips/versions/latest").json()
    assert described == client.get("/v2/models/door_trips").json()
    assert (described["name"], described["versions"]) == ("door_trips", ["1"])
    assert {one["name"]: one["datatype"] for one in described["inputs"]} == DATATYPES
    assert [(one["name"], one["datatype"], one["shape"]) for one in described["outputs"]] == [
        ("predict", "BYTES", [-1, 1]),
        ("predict_proba", "FP64", [-1, 3]),
    ]
    assert refused(client.get("/v2/models/door_trip"), 404)["error"].endswith("the nearest is 'door_trips'.")


def test_a_wait_that_runs_out_loses_nothing(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "patient"}
    body = {"instances": [[25, 3], [2, 1]]}
    first = client.post("/invocations?wait=0", json=body, headers=headers)
    problem = refused(first, 504, "/result")
    assert first.headers["Retry-After"] == "1"
    again = client.post("/invocations", json=body, headers=headers)
    assert client.post("/invocations?threshold=0", json=body).json() == {"predictions": [1, 1]}
    assert (again.json(), again.headers["Job-ID"]) == ({"predictions": [0, 1]}, problem["job"])


def test_the_clients_of_mlflow_and_triton_get_what_the_model_predicts(stack: Stack, tmp_path: Path) -> None:
    frame = pd.DataFrame({"age": [25, 2, None, 60.5], "pclass": [3, 1, 2, 1]}, dtype=float)
    frame.to_csv(tmp_path / "in.csv", index=False)
    command = [mlflow_python(), Path(__file__).with_name("door_clients.py"), str(stack.port), tmp_path / "in.csv"]
    done = subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    invoked, refusal, shares, inferred, binary, empty = map(json.loads, done.stdout.splitlines())
    registry = Registry(Storage(str(stack.models)))
    model = load(registry, registry.resolve("titanic"), "strict").estimator
    wanted = model.predict(frame).tolist()
    assert (invoked, inferred, shares) == (wanted, wanted, model.predict_proba(frame).tolist())
    assert "error code 422" in refusal
    assert "dataframe_split.data[0].age must be a number" in refusal
    assert (binary[0], empty[0]) == ("415", "422")
    assert "binary_data=False" in binary[1]
