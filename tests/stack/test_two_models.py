"""Two models in one pass, through HTTP: each column is what the user's own script gives for that model."""

import io
import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
from metrics import samples, total
from programs import Stack, http_client, until
from scored import submit, wait
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from rowcast import Client
from rowcast.cli.main import main
from rowcast.client import WrongUse
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
            threshold=None if classes is None else 0.25 + len(found) / 10,
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


def test_the_rows_of_two_models_in_one_pass_are_counted_under_both_names(client: httpx.Client, data: bytes) -> None:
    before = samples(client)
    job, _ = scored(client, data, "pair@1,amount@1")
    found = samples(client) - before
    rows = job["progress"]["rows_done"]
    assert rows > 0
    assert total(found, "rowcast_rows_total", model="pair,amount", version="1,1") == rows
    assert total(found, "rowcast_rows_total") == rows


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


def test_a_parquet_file_is_predicted_as_two_scripts_do_and_checked_for_both(
    client: httpx.Client, models: dict[str, Any], rows: pd.DataFrame
) -> None:
    file = io.BytesIO()
    rows[["a", "b", "c"]].head(500).astype({"b": "float32"}).to_parquet(file)
    job, result = scored(client, file.getvalue(), "pair@1,amount")
    table = pd.read_parquet(file)
    assert job["input"]["format"] == "parquet"
    assert result["prediction_pair"].tolist() == written(models["pair@1"].predict(table[["a", "b"]]))
    assert result["prediction_amount"].tolist() == written(models["amount@1"].predict(table[["b", "c"]]))
    lacking = io.BytesIO()
    table[["a", "b"]].to_parquet(lacking)
    failed = wait(client, submit(client, "pair@1,amount", lacking.getvalue()))
    assert failed["error"]["type"] == "urn:rowcast:problem:missing-columns"
    assert "'c'" in failed["error"]["detail"]


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


def test_thresholds_ranks_and_chosen_columns_of_two_models_are_as_in_two_scripts(
    client: httpx.Client, models: dict[str, Any], data: bytes, script: pd.DataFrame
) -> None:
    chosen = {
        "top_pair@2_1": "likely",
        "prediction_pair@1": "low",
        "prediction_pair@2": "high",
        "probability_pair@1_1": "share",
    }
    columns = ",".join(map(":".join, chosen.items()))
    options = {"threshold": "auto", "top": 1, "columns": columns, "output": "predictions"}
    job, result = scored(client, data, "pair@1,pair@2", **options)
    first, second = (models[name].predict_proba(script[["a", "b"]]) for name in ("pair@1", "pair@2"))
    low, high = first[:, 1] >= 0.25, second[:, 1] >= 0.35
    assert list(result) == list(chosen.values())
    assert result["likely"].tolist() == written(second.argmax(axis=1))
    assert result["low"].tolist() == written(low.astype(int))
    assert result["high"].tolist() == written(high.astype(int))
    assert result["share"].tolist() == written(first[:, 1])
    assert job["result"]["summary"]["disagreement"]["rows"] == int((low != high).sum()) > 0
    assert (job["options"]["threshold"], job["options"]["columns"]) == ("auto", chosen)
    row = script[["a", "b"]].iloc[0]
    asked = {"features": row.to_dict(), "model": "pair@1,pair@2", "threshold": "auto", "top": 2}
    answer = client.post("/predict?wait=30", json=asked).json()
    assert answer["prediction"] == {"pair@1": int(low[0]), "pair@2": int(high[0])}
    assert [one["class"] for one in answer["top"]["pair@1"]] == np.argsort(-first[0]).tolist()


def test_a_threshold_and_names_hold_in_every_format_a_repair_a_check_and_a_receipt(client: httpx.Client) -> None:
    options = {"threshold": "auto", "on_error": "column", "columns": "prediction:label,prediction_error:fault"}
    body = b"a,b,c\n-0.4,0.3,3\nx,2,3\n-9,2,0\n"
    job, _ = scored(client, body, "pair@1", **options)
    assert job["options"]["threshold"] == 0.25
    assert job["result"]["summary"]["classes"] == {"0": 1, "1": 1}
    assert client.get(f"/jobs/{job['id']}/receipt").json()["options"]["threshold"] == "0.25"
    fixed = {"content": b"_row,a,b,c\n2,3,2,3\n", "headers": {"Content-Type": "text/csv"}}
    assert client.post(f"/jobs/{job['id']}/repair", **fixed).status_code == 202
    job = wait(client, job["id"])
    assert job["result"]["summary"]["classes"] == {"0": 1, "1": 2}
    here = f"/jobs/{job['id']}/result"
    assert client.get(here).text == "a,b,c,label,fault\n-0.4,0.3,3,1,\n3,2,3,1,\n-9,2,0,0,\n"
    lines = [json.loads(line) for line in client.get(f"{here}?format=ndjson").text.splitlines()]
    table = pd.read_parquet(io.BytesIO(client.get(f"{here}?format=parquet&wait=60").content))
    assert [line["label"] for line in lines] == table["label"].tolist() == [1, 1, 0]
    assert ">label</th>" in client.get(f"/ui/jobs/{job['id']}").text
    params = {**options, "model": "pair@1", "dry_run": "true", "top": 1}
    check = client.post("/predict", content=body, headers={"Content-Type": "text/csv"}, params=params).json()
    assert [one["prediction"] for one in check["sample"]] == [1, 0]


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


def test_a_check_shows_both_predictions_and_names_who_needs_a_missing_column(client: httpx.Client) -> None:
    def check(body: bytes, **options: object) -> dict[str, Any]:
        params = {"dry_run": "true", "model": "pair@1,amount", **options}
        return client.post("/predict", content=body, headers={"Content-Type": "text/csv"}, params=params).json()

    found = check(b"id,a,b,c\n7,1,2,3\n8,x,2,3\n")
    assert found["ok"], found
    assert found["sample"][0]["prediction"].keys() == {"pair", "amount"}
    assert found["columns"] == {"matched": ["a", "b", "c"], "missing": [], "carried": ["id"]}
    assert [one["name"] for one in found["models"]] == ["pair", "amount"]
    assert (len(found["sample"]), len(found["bad_rows"])) == (1, 1)
    refused = check(b"a,b\n1,2\n")
    assert not refused["ok"]
    assert refused["problem"]["errors"] == [{"where": "header.c", "message": "missing (needed by amount)"}]
    both = check(b"a,c\n1,2\n")["problem"]["errors"]
    assert both == [{"where": "header.b", "message": "missing (needed by pair and amount)"}]


@pytest.mark.parametrize(
    ("options", "where", "says"),
    [
        ({"header": "false"}, "header", "take different features"),
        ({"probabilities": "true"}, "probabilities", "amount@1 does not return probabilities"),
        ({"scores": "true"}, "scores", "has no `decision_function`"),
        ({"prediction_column": "p"}, "header.p_amount", "choose another prediction_column"),
        ({"threshold": "0.3"}, "threshold", "amount@1 does not return probabilities"),
        ({"columns": "prediction_amount:p_amount"}, "columns.p_amount", "choose another name"),
    ],
)
def test_an_option_that_does_not_fit_one_of_the_models_is_refused(
    client: httpx.Client, options: dict[str, str], where: str, says: str
) -> None:
    answer = client.post(
        "/predict",
        content=b"a,b,c,p_amount\n1,2,3,4\n",
        headers={"Content-Type": "text/csv"},
        params={"model": "pair@1,amount", **options},
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["where"] == where
    assert says in answer.json()["errors"][0]["message"]


def test_rows_that_do_not_fit_one_of_the_models_are_refused_by_its_name(client: httpx.Client) -> None:
    def refused(features: object) -> str:
        answer = client.post("/predict", json={"features": features, "model": "pair@1,amount"})
        assert answer.status_code == 422
        return str(answer.json()["detail"])

    assert "must be an object, as the two models take different features: a, b, c" in refused([1, 2, 3])
    assert "features.c missing (model amount)" in refused({"a": 1, "b": 2})
    assert "features.a must be a number (model pair)" in refused({"a": "x", "b": 2, "c": 3})
    assert "features.d unknown" in refused({"a": 1, "b": 2, "c": 3, "d": 4})


def test_a_job_of_two_models_is_listed_reused_and_repeated(client: httpx.Client) -> None:
    body, sent = b"a,b,c\n1,2,3\n", {"Content-Type": "text/csv", "Idempotency-Key": "two-models"}

    def post(model: str, headers: dict[str, str], **options: object) -> httpx.Response:
        params = {"model": model, "tags": "run:two", **options}
        return client.post("/predict", content=body, headers=headers, params=params)

    first = post("pair@1,amount", sent)
    assert first.status_code == 202
    again = post("pair@1,amount", sent)
    assert (again.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert post("amount,pair@1", sent).status_code == 422
    plain = {"Content-Type": "text/csv"}
    assert post("pair@1,amount@1", plain, reuse=True).headers["Job-Reused"] == "true"
    assert "Job-Reused" not in post("amount,pair@1", plain, reuse=True).headers
    assert "Job-Reused" not in post("pair@1", plain, reuse=True).headers
    for model, number in (("pair", 3), ("amount@1", 2), ("amount", 2), ("pair@2", 0)):
        assert len(client.get("/jobs", params={"model": model, "tag": "run:two"}).json()["jobs"]) == number


def test_a_followed_file_and_a_resumed_one_get_both_predictions(client: httpx.Client) -> None:
    body, plain = b"a,b,c\n1,2,3\n-4,1,0\n", {"Content-Type": "text/csv"}
    params = {"model": "pair@1,pair@2"}
    followed = client.post("/predict", content=body, headers=plain, params={**params, "follow": "true"})
    assert followed.text.splitlines()[0] == "a,b,c,prediction_pair@1,prediction_pair@2"
    upload = client.post("/uploads", headers=plain, params=params).headers["Location"]
    patch = {"Content-Type": "application/partial-upload", "Upload-Offset": "0", "Upload-Complete": "?1"}
    made = client.patch(upload, content=body, headers=patch)
    assert made.status_code == 202, made.text
    assert [one["version"] for one in made.json()["models"]] == ["1", "2"]
    wait(client, made.json()["id"])
    assert client.get(f"/jobs/{made.json()['id']}/result").content == followed.content


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_frame_gets_the_predictions_of_both_models(
    stack: Stack, models: dict[str, Any], script: pd.DataFrame, library: str
) -> None:
    rows = script.head(300).drop(columns="note")
    with Client(stack.url) as service:
        sent = rows if library == "pandas" else pl.DataFrame(rows.to_dict("list"))
        done = service.predict_frame(sent, model="coded,amount", probabilities=False)
        one = service.predict({"a": 1, "b": 2, "c": 3}, model="pair@2,amount")
        ranked = service.predict({"a": 1, "b": 2}, model="pair@1", threshold=1, top=1)
        named = service.predict_frame(
            sent, model="coded,pair@1", top=1, columns={"top_coded_1": "late", "top_pair_1": "p"}
        )
        with pytest.raises(WrongUse, match="already has a column 'prediction_amount'"):
            service.predict_frame(done, model="pair@1,amount")
    assert list(done.columns) == [*rows.columns, "prediction_coded", "prediction_amount"]
    assert list(done["prediction_coded"]) == models["coded@1"].predict(rows[["code", "a"]]).tolist()
    assert list(done["prediction_amount"]) == models["amount@1"].predict(rows[["b", "c"]]).tolist()
    assert one.prediction.keys() == {"pair", "amount"}
    assert (ranked.prediction, ranked.top[0]["class"]) == (0, 1)
    assert list(named.columns) == [*rows.columns, "late", "p"]
    assert list(named["late"]) == models["coded@1"].predict(rows[["code", "a"]]).tolist()
    assert list(named["p"]) == models["pair@1"].predict(rows[["a", "b"]]).tolist()


def test_the_command_line_names_the_disagreement(
    stack: Stack, models: dict[str, Any], data: bytes, script: pd.DataFrame, tmp_path: Path, capsys
) -> None:
    (tmp_path / "in.csv").write_bytes(b"".join(data.splitlines(keepends=True)[:1001]))
    arguments = ["predict", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--url", stack.url]
    assert main([*arguments, "--model", "pair@1,pair@2"]) == 0
    table = script.head(1000)[["a", "b"]]
    differing = int((models["pair@1"].predict(table) != models["pair@2"].predict(table)).sum())
    said = capsys.readouterr().err
    assert "1,000 rows scored by pair@1,pair@2 into" in said
    assert f"the models disagree in {differing} rows ({differing / 1000:.2%})." in said
    assert main(["check", str(tmp_path / "in.csv"), "--url", stack.url, "--model", "pair@1,pair@2"]) == 0
    shown = capsys.readouterr().out
    assert "fits pair@1 and pair@2." in shown
    assert "prediction pair@1 " in shown
