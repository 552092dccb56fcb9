"""Two models in one pass, through HTTP: each column is what the user's own script gives for that model."""

import io
import json
import pickle
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import sklearn
from programs import Stack, http_client, until
from scored import submit, wait
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage

ROWS = 60_000
"""More than one chunk."""


def number(name: str, *, missing: bool = False) -> Feature:
    return Feature(name=name, kind="number", missing=missing)


def text(name: str) -> Feature:
    return Feature(name=name, kind="text", missing=False)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    random = np.random.default_rng(3)
    frame = pd.DataFrame(random.normal(size=(ROWS, 3)).round(3), columns=["a", "b", "c"])
    frame["code"] = [f"{code:03d}" for code in random.integers(0, 40, ROWS)]
    frame["note"] = np.where(frame["a"] > 0, "warm sun, calm", "cold rain")
    return frame


@pytest.fixture(scope="module")
def data(rows: pd.DataFrame) -> bytes:
    return rows.to_csv(index=False).encode()


@pytest.fixture(scope="module")
def script(data: bytes) -> pd.DataFrame:
    """What `pandas.read_csv` makes of the file in a user's script; `code` is text there."""
    return pd.read_csv(io.BytesIO(data), dtype={"code": "str"})


@pytest.fixture(scope="module")
def models(stack: Stack, rows: pd.DataFrame) -> dict[str, Any]:
    """Registered models by `NAME@VERSION`."""
    few = rows.head(2_000)
    sign, late = (few["a"] + few["b"] > 0).astype(int), np.where(few["b"] > 0.3, "late", "on time")
    encode = ColumnTransformer([("code", OneHotEncoder(handle_unknown="ignore"), ["code"])], remainder="passthrough")
    words = make_pipeline(TfidfVectorizer(), LogisticRegression())
    trees = {"max_iter": 5, "random_state": 0}
    fitted: list[tuple[str, Any, list[Feature], list[Any] | None]] = [
        ("pair", LogisticRegression().fit(few[["a", "b"]], sign), [number("a"), number("b")], [0, 1]),
        ("pair", LogisticRegression(C=1e-4).fit(few[["a", "b"]], sign), [number("a"), number("b")], [0, 1]),
        (
            "amount",
            HistGradientBoostingRegressor(**trees).fit(few[["b", "c"]], few.a),
            [number("b", missing=True), number("c", missing=True)],
            None,
        ),
        (
            "numeric",
            HistGradientBoostingClassifier(**trees).fit(few[["code"]].astype(float), sign),
            [number("code")],
            [0, 1],
        ),
        (
            "coded",
            make_pipeline(encode, LogisticRegression()).fit(few[["code", "a"]], late),
            [text("code"), number("a")],
            ["late", "on time"],
        ),
        ("words", words.fit(few["note"], late), [text("note")], ["late", "on time"]),
    ]
    registry, found = Registry(Storage(str(stack.models))), {}
    for name, estimator, features, classes in fitted:
        draft = Draft(
            task="regression" if classes is None else "classification",
            features=features,
            classes=classes,
            container="series" if name == "words" else "frame",
            probabilities=classes is not None,
            libraries={"python": "3", "scikit-learn": str(sklearn.__version__)},
        )
        found[registry.register(name, pickle.dumps(estimator), draft).reference] = estimator
    return found


@pytest.fixture
def client(stack: Stack, models: dict[str, Any]) -> Iterator[httpx.Client]:
    with http_client(stack.url, timeout=90) as http:
        yield http


def scored(client: httpx.Client, body: bytes, model: str, **options: object) -> tuple[dict[str, Any], pd.DataFrame]:
    """Returns the job and the result as texts."""
    job = wait(client, submit(client, model, body, **options))
    assert job["status"] == "succeeded", job
    result = client.get(f"/jobs/{job['id']}/result").content
    return job, pd.read_csv(io.BytesIO(result), dtype=str, keep_default_na=False)


def written(values: Any) -> list[str]:
    """Returns the cells that a result has for predictions."""
    return [str(value) for value in np.asarray(values).tolist()]


def test_two_versions_predict_as_two_scripts_do_and_the_job_counts_where_they_differ(
    client: httpx.Client, models: dict[str, Any], data: bytes, script: pd.DataFrame
) -> None:
    job, result = scored(client, data, "pair@1,pair@2")
    one, other = (models[name].predict(script[["a", "b"]]) for name in ("pair@1", "pair@2"))
    assert list(result)[-2:] == ["prediction_pair@1", "prediction_pair@2"]
    assert result["prediction_pair@1"].tolist() == written(one)
    assert result["prediction_pair@2"].tolist() == written(other)
    differing = int((one != other).sum())
    assert 0 < differing < ROWS
    assert job["cost"]["chunks"] > 1
    assert job["result"]["summary"]["disagreement"] == {"rows": differing, "fraction": differing / ROWS}
    assert job["result"]["summary"]["models"] == {
        name: {"classes": {label: written(values).count(label) for label in ("0", "1")}}
        for name, values in (("pair@1", one), ("pair@2", other))
    }
    assert job["model"] == {"name": "pair", "version": "1"}
    assert job["models"] == [{"name": "pair", "version": "1"}, {"name": "pair", "version": "2"}]


def test_a_classifier_and_a_regressor_of_other_features_predict_as_two_scripts_do(
    client: httpx.Client, models: dict[str, Any], data: bytes, script: pd.DataFrame
) -> None:
    job, result = scored(client, data, "pair@1,amount", output="predictions", key="code")
    amounts = models["amount@1"].predict(script[["b", "c"]])
    assert list(result) == ["code", "prediction_pair", "prediction_amount"]
    assert result["prediction_pair"].tolist() == written(models["pair@1"].predict(script[["a", "b"]]))
    assert result["prediction_amount"].tolist() == written(amounts)
    assert job["result"]["summary"]["models"]["amount"]["max"] == amounts.max()
    assert job["result"]["summary"]["disagreement"]["rows"] == ROWS


def test_models_of_text_predict_as_two_scripts_do(
    client: httpx.Client, models: dict[str, Any], data: bytes, script: pd.DataFrame
) -> None:
    job, result = scored(client, data, "words,coded", probabilities=True)
    words, coded = models["words@1"], models["coded@1"]
    table = script[["code", "a"]]
    assert list(result)[5:] == [
        "prediction_words",
        "probability_words_late",
        "probability_words_on time",
        "prediction_coded",
        "probability_coded_late",
        "probability_coded_on time",
    ]
    assert result["prediction_words"].tolist() == written(words.predict(script["note"]))
    assert result["prediction_coded"].tolist() == written(coded.predict(table))
    assert result["probability_coded_late"].tolist() == written(coded.predict_proba(table)[:, 0])
    differing = int((words.predict(script["note"]) != coded.predict(table)).sum())
    assert job["result"]["summary"]["disagreement"]["rows"] == differing


def test_a_column_that_is_text_for_one_model_and_a_number_for_the_other_is_read_as_each_manifest_says(
    client: httpx.Client, models: dict[str, Any], data: bytes, script: pd.DataFrame
) -> None:
    few = b"".join(data.splitlines(keepends=True)[:501])
    _, result = scored(client, few, "numeric,coded")
    head = script.head(500)
    assert result["prediction_numeric"].tolist() == written(models["numeric@1"].predict(head[["code"]].astype(float)))
    assert result["prediction_coded"].tolist() == written(models["coded@1"].predict(head[["code", "a"]]))


def test_a_row_that_one_model_cannot_predict_is_bad_and_can_be_repaired(client: httpx.Client) -> None:
    body = b"a,b,c\n1,2,3\nx,2,3\n1,2,y\n-1,2\n"
    job, result = scored(client, body, "pair@1,amount", on_error="column")
    assert job["progress"]["rows_failed"] == 3
    errors = client.get(f"/jobs/{job['id']}/errors").text.splitlines()[1:]
    assert [line.split(",")[:3] for line in errors] == [["2", "a", "x"], ["3", "c", "y"], ["4", "", ""]]
    assert ["(model pair)" in errors[0], "(model amount)" in errors[1], "(model" in errors[2]] == [True, True, False]
    assert job["result"]["summary"]["disagreement"] == {"rows": 1, "fraction": 1.0}
    result = client.get(f"/jobs/{job['id']}/result").text.splitlines()
    assert result[0] == "a,b,c,prediction_pair,prediction_amount,prediction_error"
    assert result[2].startswith("x,2,3,,,a: ")
    corrected = client.post(
        f"/jobs/{job['id']}/repair", content=b"_row,a,b,c\n2,3,2,3\n", headers={"Content-Type": "text/csv"}
    )
    assert corrected.status_code == 202, corrected.text
    job = wait(client, job["id"])
    assert job["progress"]["rows_failed"] == 2
    assert job["result"]["summary"]["disagreement"]["rows"] == 2
    lines = [json.loads(line) for line in client.get(f"/jobs/{job['id']}/result?format=ndjson").text.splitlines()]
    assert lines[1]["prediction_pair"] in (0, 1)
    assert isinstance(lines[1]["prediction_amount"], float)


def test_one_row_as_json_gets_both_predictions(client: httpx.Client, models: dict[str, Any]) -> None:
    row = {"a": 1, "b": 2.5, "c": None}
    answer = client.post("/predict", json={"features": row, "model": "pair@1,amount"}, params={"wait": 30})
    assert answer.status_code == 200, answer.text
    frame = pd.DataFrame([row]).astype(float)
    assert answer.json()["prediction"] == {
        "pair": models["pair@1"].predict(frame[["a", "b"]])[0],
        "amount": models["amount@1"].predict(frame[["b", "c"]])[0],
    }
    listed = {"features": [1, 2], "model": "pair@1,pair@2", "probabilities": True}
    both = client.post("/predict", json=listed, params={"wait": 30}).json()
    assert both["prediction"].keys() == both["probabilities"].keys() == {"pair@1", "pair@2"}
    job = client.get(f"/jobs/{both['job']}").json()
    assert job["result"]["prediction"] == both["prediction"]


def test_a_model_that_cannot_be_opened_fails_the_job_which_names_it(client: httpx.Client, stack: Stack) -> None:
    registry = Registry(Storage(str(stack.models)))
    draft = Draft(task="regression", features=[number("a")], libraries={"python": "3"})
    registry.register("broken", b"not a pickle", draft)
    job = wait(client, submit(client, "pair@1,broken", b"a,b\n1,2\n"))
    assert job["status"] == "failed"
    assert "broken@1" in job["error"]["detail"]
    row = client.post("/predict", json={"features": {"a": 1, "b": 2}, "model": "broken,pair"}, params={"wait": 30})
    assert row.status_code >= 400
    assert "broken@1" in row.json()["detail"]
    until(lambda: not stack.redis.hlen("rowcast:leases"), "no lease is left")


def test_rows_in_json_lines_and_instances_get_both_predictions(client: httpx.Client) -> None:
    lines = b'{"a": 1, "b": 2, "c": 3}\n{"a": -9, "b": 2, "c": null}\n'
    made = client.post(
        "/predict",
        content=lines,
        headers={"Content-Type": "application/x-ndjson"},
        params={"model": "pair@1,amount", "wait": 30},
    )
    first = client.get(f"/jobs/{made.json()['id']}/result").text
    rows = [{"a": 1, "b": 2, "c": 3}, {"a": -9, "b": 2, "c": None}]
    made = client.post("/predict", json={"instances": rows, "model": "pair@1,amount"}, params={"wait": 30})
    second = client.get(f"/jobs/{made.json()['id']}/result").text
    assert [line.split(",")[-2:] for line in first.splitlines()] == [
        line.split(",")[-2:] for line in second.splitlines()
    ]
