"""Explanations through the whole service: in every format they are what a user's own script would find."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, expect
from programs import ROOT, Stack, http_client
from registering import FEW_ALONE, register
from scored import submit, wait
from sklearn.ensemble import RandomForestClassifier

import rowcast
from rowcast import Client
from rowcast.cli.main import main
from rowcast.models.loading.load import load
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.train import train

TITANIC = ROOT / "training" / "data" / "titanic.csv"
COPIES = 50
"""The rows of the Titanic are sent so often that they are several chunks."""

ROW = {"sex": "female", "age": 29, "pclass": 1, "sibsp": 0, "parch": 0}


@pytest.fixture(scope="module")
def registry(stack: Stack) -> Registry:
    registry = Registry(Storage(str(stack.models)))
    features = list(ROW)
    for name, estimator in (("explained", "logistic_regression"), ("explained-trees", "hist_gradient_boosting")):
        train(TITANIC, "survived", name, registry, features=features, estimator=estimator, alone=FEW_ALONE)
    forest = RandomForestClassifier(2).fit([[1.0], [2.0]], [0, 1])
    register(stack.models, "unexplained", forest, ["age"])
    return registry


@pytest.fixture
def client(stack: Stack, registry: Registry) -> Iterator[httpx.Client]:
    with http_client(stack.url, timeout=90) as http:
        yield http


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(TITANIC)[list(ROW)]


@pytest.fixture(scope="module")
def by_hand(registry: Registry, frame: pd.DataFrame) -> pd.DataFrame:
    """Returns coefficient times distance from the mean, added up for the columns of the file."""
    model = load(registry, registry.resolve("explained"), "strict").estimator
    encoded = model[:-1].transform(frame)
    moved = model[-1].coef_[0] * (encoded - encoded.mean(axis=0))
    of = [name.partition("__")[2].split("_")[0] for name in model[:-1].get_feature_names_out()]
    return pd.DataFrame({name: moved[:, [one == name for one in of]].sum(axis=1) for name in ROW})


def scored(client: httpx.Client, body: bytes, model: str, **options: object) -> dict[str, Any]:
    job = wait(client, submit(client, model, body, **options))
    assert job["status"] == "succeeded", job["error"]
    return job


def test_a_file_gets_the_strongest_features_as_computed_by_hand_in_every_chunk(
    client: httpx.Client, registry: Registry, frame: pd.DataFrame, by_hand: pd.DataFrame
) -> None:
    job = scored(client, pd.concat([frame] * COPIES).to_csv(index=False).encode(), "explained", explain=3, scores=True)
    assert job["cost"]["chunks"] > 1
    result = pd.read_csv(io.BytesIO(client.get(f"/jobs/{job['id']}/result").content))
    whole = pd.concat([by_hand] * COPIES, ignore_index=True)
    places = np.argsort(-whole.abs().to_numpy(), axis=1, kind="stable")
    for rank in range(3):
        found = result[f"explanation_{rank + 1}_value"].to_numpy()
        np.testing.assert_allclose(found, np.take_along_axis(whole.to_numpy(), places, axis=1)[:, rank], atol=1e-9)
        names = np.array(whole.columns)[places[:, rank]]
        assert (result[f"explanation_{rank + 1}_feature"] == names).mean() > 0.999  # equal ones may be in any order
    np.testing.assert_allclose(result["explanation_base"] + whole.sum(axis=1), result["score"], atol=1e-9)


@pytest.mark.parametrize("model", ["explained", "explained-trees"])
def test_csv_json_lines_parquet_and_a_single_row_have_the_same_explanation(
    client: httpx.Client, frame: pd.DataFrame, model: str
) -> None:
    rows = frame.head(50)
    job = scored(client, rows.to_csv(index=False).encode(), model, explain=5, scores="true")
    here = f"/jobs/{job['id']}/result"
    table = pd.read_csv(io.BytesIO(client.get(here).content))
    lines = [json.loads(line) for line in client.get(f"{here}?format=ndjson").text.splitlines()]
    parquet = pd.read_parquet(io.BytesIO(client.get(f"{here}?format=parquet&wait=60").content))
    added = ["explanation_base", *(f"explanation_{k}_{what}" for k in range(1, 6) for what in ("feature", "value"))]
    assert list(table)[-11:] == list(parquet)[-11:] == added
    pd.testing.assert_frame_equal(table[added], parquet[added], check_dtype=False)
    for row, line in zip(table.to_dict("records"), lines, strict=True):
        pairs = [
            {"feature": row[f"explanation_{k}_feature"], "value": row[f"explanation_{k}_value"]} for k in range(1, 6)
        ]
        assert (line["explanations"], line["explanation_base"]) == (pairs, row["explanation_base"])
        whole = line["explanation_base"] + sum(one["value"] for one in pairs)
        assert whole == pytest.approx(row["score"], abs=1e-9)
    features = json.loads(rows.iloc[[0]].to_json(orient="records"))[0]
    answer = client.post("/predict?wait=30", json={"features": features, "model": model, "explain": 2}).json()
    assert answer["explanation_base"] == pytest.approx(lines[0]["explanation_base"], abs=1e-12)
    assert [one["feature"] for one in answer["explanations"]] == [
        one["feature"] for one in lines[0]["explanations"][:2]
    ]
    assert answer["explanations"][0]["value"] == pytest.approx(lines[0]["explanations"][0]["value"], abs=1e-9)
    instances = {"instances": [features], "model": model, "explain": 1}
    made = client.post("/predict?wait=30", json=instances, headers={"Accept": "application/json"}).json()
    row = client.get(f"/jobs/{made['id']}/result?format=ndjson").json()
    assert row["explanations"][0]["feature"] == answer["explanations"][0]["feature"]


def test_bad_rows_names_a_repair_and_a_receipt_work_as_for_other_columns(client: httpx.Client) -> None:
    columns = "prediction:label,explanation_1_feature:why,prediction_error:fault"
    body = b"age,pclass\n25,3\nold,1\n"
    job = scored(client, body, "titanic@1", explain=1, on_error="column", columns=columns)
    here = f"/jobs/{job['id']}/result"
    assert client.get(here).text.splitlines()[1] == "25,3,0,pclass,"
    assert client.get(here).text.splitlines()[2].startswith('old,1,,,"age: not a number')
    assert json.loads(client.get(f"{here}?format=ndjson").text.splitlines()[0])["why"] == "pclass"
    assert client.get(f"/jobs/{job['id']}/receipt").json()["options"]["explain"] == 1
    fixed = {"content": b"_row,age,pclass\n2,40,1\n", "headers": {"Content-Type": "text/csv"}}
    assert client.post(f"/jobs/{job['id']}/repair", **fixed).status_code == 202
    wait(client, job["id"])
    assert client.get(here).text.splitlines()[2].split(",")[3] in ("age", "pclass")
    plain = scored(client, body, "titanic@1", explain=2)
    bad = json.loads(client.get(f"/jobs/{plain['id']}/result?format=ndjson").text.splitlines()[1])
    assert (bad["explanation_base"], bad["explanations"]) == (None, None)


def test_a_check_estimates_what_explaining_costs(client: httpx.Client, frame: pd.DataFrame) -> None:
    body = pd.concat([frame] * 4).to_csv(index=False).encode()
    asked = {"model": "explained-trees", "dry_run": "true", "explain": 3}
    headers = {"Content-Type": "text/csv", "Content-Range": f"bytes 0-{len(body) - 1}/{len(body) * 2000}"}
    check = client.post("/predict", content=body, params=asked, headers=headers).json()
    assert check["ok"]
    assert check["expected"]["rows"] > 9_000_000
    assert check["expected"]["seconds"] > 1


@pytest.mark.parametrize(
    ("model", "count", "why"),
    [
        ("unexplained", 1, "unexplained@1 was registered before there were explanations; register it again"),
        ("explained", 6, "must not be more than 5: explained@1 has 5 features"),
        ("explained,explained-trees", 1, "is only for one model"),
    ],
)
def test_what_cannot_be_explained_is_refused_before_a_job_is_made(
    client: httpx.Client, model: str, count: int, why: str
) -> None:
    for sent in (
        client.post("/predict", json={"features": ROW, "model": model, "explain": count}),
        client.post(
            f"/predict?model={model}&explain={count}", content=b"age\n1\n", headers={"Content-Type": "text/csv"}
        ),
    ):
        assert (sent.status_code, why in sent.json()["detail"]) == (422, True), sent.text


def test_the_client_and_the_command_line_explain(
    stack: Stack, registry: Registry, frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = frame.head(20)
    rows.to_csv(tmp_path / "in.csv", index=False)
    with Client(stack.url) as service:
        one = service.predict(ROW, model="explained-trees", explain=2)
        table = service.predict_frame(rows, model="explained-trees", explain=2)
        job = service.submit_csv(tmp_path / "in.csv", model="explained-trees", explain=2)
        job.wait()
        whole = job.to_pandas()
    assert [found["feature"] for found in one.explanations] == ["sex", "pclass"]
    assert isinstance(one.explanation_base, float)
    assert list(table["explanation_1_feature"]) == whole["explanation_1_feature"].tolist()
    np.testing.assert_allclose(table["explanation_2_value"], whole["explanation_2_value"])
    here = rowcast.score(rows, model="explained-trees", models=stack.models, explain=2)
    pd.testing.assert_frame_equal(here, table)
    arguments = ["predict", str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv"), "--url", stack.url]
    assert main([*arguments, "--model", "explained-trees", "--explain", "2"]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "out.csv"), whole)


def test_a_line_of_a_batch_of_requests_gets_the_explanation_of_that_row(client: httpx.Client) -> None:
    body = {"model": "explained-trees", "features": ROW, "explain": 2}
    content = json.dumps({"custom_id": "a", "method": "POST", "url": "/predict", "body": body})
    file = client.post("/v1/files", data={"purpose": "batch"}, files={"file": ("a.jsonl", content)}).json()
    asked = {"input_file_id": file["id"], "endpoint": "/predict", "completion_window": "24h"}
    batch = client.post("/v1/batches", json=asked).json()
    assert wait(client, batch["id"].removeprefix("batch_"))["status"] == "succeeded"
    output = client.get(f"/v1/batches/{batch['id']}").json()["output_file_id"]
    found = client.get(f"/v1/files/{output}/content").json()["response"]["body"]
    assert {**found, "job": 0} == {**client.post("/predict?wait=60", json=body).json(), "job": 0}


def test_the_page_shows_the_explanations_of_a_file(browser: Browser, stack: Stack, registry: Registry) -> None:
    context = browser.new_context(base_url=stack.url)
    page = context.new_page()
    page.goto("/")
    page.locator("summary", has_text="Result").click()
    page.get_by_label("Explain predictions").fill("2")
    page.get_by_label("CSV file").set_input_files(
        [{"name": "in.csv", "mimeType": "text/csv", "buffer": b"age,pclass\n25,3\n"}]
    )
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator("#status")).to_have_text("succeeded")
    expect(page.get_by_role("columnheader", name="explanation_1_feature")).to_be_visible()
    expect(page.get_by_role("cell", name="pclass", exact=True).first).to_be_visible()
    context.close()
