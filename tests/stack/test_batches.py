"""Batches of requests: what OpenAI's client gets for each line is what `POST /predict` returns for that row."""

import json
import pickle
import subprocess
from pathlib import Path

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

from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage

FEATURES = [  # two have names of columns that a batch adds
    Feature(name="custom_id", kind="number", missing=True),
    Feature(name="prediction", kind="integer", missing=False),
    Feature(name="town", kind="text", missing=True),
    Feature(name="member", kind="boolean", missing=False),
]
TOWNS = ["Aix", 'Köln, "Süd"\n', "12", " a ", np.nan]
ROWS = [
    *([number, 3, "Aix", True] for number in (25, 0.1, 1 / 3, 5e-324, 1.7976931348623157e308, 9007199254740993, None)),
    *([1.5, 2, town, False] for town in ('Köln, "Süd"\n', "12", " a ", "NA", "", None)),
    {"town": "Aix", "member": False, "prediction": 3.0, "custom_id": -1},
    # Rows that do not fit: they have an error, and the others their predictions.
    [1, 2, "Nowhere", True],
    ["25", 2, "Aix", True],
    [10**400, 2.5, 7, "true"],
    [1, None, "Aix", True],
    [1, 2, "a\0b", True],
    [1, 2],
    {"town": "Aix", "member": False, "prediction": 3, "custom_ids": 1},
    None,
]


def line(id: str, features: object, **body: object) -> str:
    return json.dumps({"custom_id": id, "method": "POST", "url": "/predict", "body": {"features": features, **body}})


def sent(client: httpx.Client, content: str | bytes) -> str:
    """Sends a file, and returns its id."""
    answer = client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("rows.jsonl", content)})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def made(client: httpx.Client, content: str | bytes, **others: object) -> httpx.Response:
    """Sends a file, and asks for a batch of it."""
    asked = {"input_file_id": sent(client, content), "endpoint": "/predict", "completion_window": "24h"}
    return client.post("/v1/batches", json={**asked, **others})


def ended(client: httpx.Client, batch: dict) -> dict:
    assert client.get(f"/jobs/{job_of(batch)}?wait=60").json()["finished_at"]
    return client.get(f"/v1/batches/{batch['id']}").json()


def job_of(batch: dict) -> str:
    return batch["id"].removeprefix("batch_")


def lines(client: httpx.Client, id: str | None) -> list[dict]:
    return [] if id is None else list(map(json.loads, client.get(f"/v1/files/{id}/content").text.splitlines()))


@pytest.fixture(scope="module")
def _trips(stack: Stack) -> None:
    """Registers a model with features of four kinds."""
    random, count = np.random.default_rng(3), 80
    frame = pd.DataFrame(
        {
            "custom_id": random.normal(30, 9, count),
            "prediction": random.integers(0, 9, count),
            "town": random.choice(np.array(TOWNS, object), count),
            "member": random.random(count) < 0.5,
        }
    )
    encode = make_column_transformer((OneHotEncoder(sparse_output=False), ["town"]), remainder="passthrough")
    model = make_pipeline(encode, HistGradientBoostingClassifier(max_iter=5, min_samples_leaf=5))
    model.fit(frame, random.choice(["late", "on time"], count))
    draft = Draft(
        task="classification",
        features=FEATURES,
        classes=["late", "on time"],
        probabilities=True,
        libraries={"python": "3", "scikit-learn": str(sklearn.__version__)},
    )
    Registry(Storage(str(stack.models))).register("batch_trips", pickle.dumps(model), draft)


@pytest.mark.usefixtures("_trips")
@pytest.mark.parametrize("extras", [{}, {"probabilities": True, "threshold": 0.4}, {"top": 2}], ids=str)
def test_each_line_gets_what_predict_returns_for_that_row(client: httpx.Client, extras: dict) -> None:
    body = {"model": "batch_trips", **extras}
    content = "\n\n".join(line(f'r"{number}', row, **body) for number, row in enumerate(ROWS))
    batch = ended(client, made(client, content).json())
    assert (batch["status"], batch["model"], batch["errors"]) == ("completed", "batch_trips@1", None)
    good, bad = lines(client, batch["output_file_id"]), lines(client, batch["error_file_id"])
    assert batch["request_counts"] == {"total": len(ROWS), "completed": len(good), "failed": len(bad)}
    found = {one["custom_id"]: one for one in good + bad}
    assert len(found) == len(good) + len(bad) == len({one["id"] for one in good + bad}) == len(ROWS)
    for number, row in enumerate(ROWS):
        response = found[f'r"{number}']["response"]
        wanted = client.post("/predict?wait=60", json={"features": row, **body})
        assert (response["status_code"], found[f'r"{number}']["error"]) == (wanted.status_code, None), row
        if wanted.status_code == 200:
            assert {**response["body"], "job": 0} == {**wanted.json(), "job": 0}, row
        elif row != [1, 2, "a\0b", True]:
            assert response["body"]["detail"] == wanted.json()["detail"]
            assert response["body"]["error"]["message"] == wanted.json()["detail"]


def test_the_client_of_openai_gets_results_and_reads_errors(stack: Stack, tmp_path: Path) -> None:
    rows = [line("a", [25, 3]), line("b", {"age": "old", "pclass": 1}), line("c", {"age": 2, "pclass": 1})]
    (tmp_path / "rows.jsonl").write_text("\n".join(rows) + "\n")
    (tmp_path / "bad.jsonl").write_text("\n".join([*rows, "{", line("d", [1, 1], model="titanik")]))
    script = Path(__file__).with_name("batch_client.py")
    command = [mlflow_python(), script, stack.url, "any", tmp_path / "rows.jsonl", tmp_path / "bad.jsonl"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    batch, (good, bad), wrong, *refusals = map(json.loads, done.stdout.splitlines())
    assert (batch["status"], batch["metadata"]) == ("completed", {"run": "nightly", "note": "a, b"})
    assert batch["request_counts"] == {"total": 3, "completed": 2, "failed": 1}
    assert [(one["custom_id"], one["response"]["body"]["prediction"]) for one in good] == [("a", 0), ("c", 1)]
    assert [(one["custom_id"], one["response"]["status_code"]) for one in bad] == [("b", 422)]
    assert bad[0]["response"]["body"]["error"]["message"] == "features.age must be a number."
    assert wrong["status"] == "failed"
    faults = [(one["code"], one["line"]) for one in wrong["errors"]["data"]]
    assert faults == [("wrong-requests", 4), ("wrong-requests", 5)]
    assert "asks for another model" in wrong["errors"]["data"][1]["message"]
    stack.audit()
    assert [one[:2] for one in refusals] == [
        [404, "unknown-file"],
        [422, "option-value"],
        [409, "job-ended"],
        [404, "unknown-job"],
    ]
    assert refusals[1][2:] == ["invalid_request_error", "endpoint", "endpoint: must be /predict"]


def test_a_batch_is_a_job_with_its_metadata_as_tags(client: httpx.Client) -> None:
    metadata = {"run": "nightly", "note": "a, b"}
    batch = ended(client, made(client, line("a", [25, 3]), metadata=metadata, completion_window="2h").json())
    job = client.get(f"/jobs/{job_of(batch)}").json()
    assert (job["status"], job["tags"], job["input"]["format"]) == ("succeeded", {"run": "nightly"}, "jsonl")
    assert batch["expires_at"] - batch["created_at"] == 2 * 3600
    assert client.get(f"/jobs/{job['id']}/result").text == "custom_id,prediction,prediction_error\na,0,\n"
    answer = client.post(f"/jobs/{job['id']}/repair", content=b"_row,age\n", headers={"Content-Type": "text/csv"})
    refused(answer, 409, "another batch")
    client.delete(f"/jobs/{job['id']}")
    assert refused(client.get(f"/v1/batches/{batch['id']}"), 410)["error"]["code"] == "job-deleted"


def test_a_batch_of_bad_rows_only_is_completed_and_explains_each(stack: Stack, client: httpx.Client) -> None:
    count = 3_000
    batch = ended(client, made(client, "\n".join(line(str(row), ["x", row]) for row in range(count))).json())
    assert (batch["status"], batch["output_file_id"]) == ("completed", None)
    assert batch["request_counts"] == {"total": count, "completed": 0, "failed": count}
    path = f"/v1/files/{batch['error_file_id']}"
    length = client.get(path).json()["bytes"]  # counted
    content = client.get(f"{path}/content").content
    assert length == len(content) == client.get(path).json()["bytes"]  # kept
    assert [json.loads(one)["custom_id"] for one in content.splitlines()] == [str(row) for row in range(count)]
    assert stack.redis.exists(f"rowcast:batch_file:{job_of(batch)}-errors")
