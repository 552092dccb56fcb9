"""Actuals through HTTP: past results are joined by key, and measured as pandas and scikit-learn do by hand."""

import io
import json
import math
import pickle
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
import sklearn
from programs import Stack
from registering import register
from scored import submit, wait
from sklearn import metrics
from sklearn.linear_model import LinearRegression
from sklearn.tree import DecisionTreeClassifier

from rowcast import Client
from rowcast.client import JobFailed, Unprocessable
from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage

ROWS = 400
CHANCE = np.random.default_rng(7)
FRAME = pd.DataFrame({"id": [f"k{number}" for number in range(ROWS)], "a": CHANCE.normal(50, 20, ROWS).round(2)})
TRUTH = pd.DataFrame({"id": FRAME["id"], "y": (FRAME["a"] + CHANCE.normal(0, 10, ROWS) >= 50).astype(int)})
AMOUNT = FRAME[["id"]].assign(amount=FRAME["a"] * 2 + CHANCE.normal(0, 1, ROWS))


@pytest.fixture(scope="module")
def models(stack: Stack) -> dict[str, Any]:
    """Registers `measured`, two versions of a classifier, and `amount`, a regressor."""
    found: dict[str, Any] = {}
    for version, sample in (("1", slice(0, 100)), ("2", slice(100, 130))):
        found[version] = DecisionTreeClassifier(max_depth=3).fit(FRAME[["a"]][sample], TRUTH["y"][sample])
        facts = {"probabilities": True, "training": {"target": "y"}, "row_seconds": 0.07}  # so chunks have 64 rows
        register(stack.models, "measured", found[version], ["a"], **facts)
    found["amount"] = LinearRegression().fit(FRAME[["a"]][:50], AMOUNT["amount"][:50])
    features = [Feature(name="a", kind="number", missing=False)]
    libraries = {"python": "3", "scikit-learn": str(sklearn.__version__)}
    draft = Draft(task="regression", features=features, libraries=libraries)
    Registry(Storage(str(stack.models))).register("amount", pickle.dumps(found["amount"]), draft)
    return found


def csv(frame: pd.DataFrame, **options: Any) -> bytes:
    return frame.to_csv(index=False, **options).encode()


def result_of(http: httpx.Client, id: str) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(http.get(f"/jobs/{id}/result").content))


def test_a_classifier_is_measured_by_version_as_by_hand(
    stack: Stack, models: dict[str, Any], client: httpx.Client
) -> None:
    old = wait(client, submit(client, "measured@1", csv(FRAME[:300]), output="predictions", key="id"))
    wait(client, submit(client, "measured@1", csv(FRAME.rename(columns={"id": "other"})), output="joined"))
    bad = csv(FRAME[200:]) + b"kx,none\nky\nk300,50,1\nk301,50,0,,\n"  # the last two have surplus fields
    new = wait(client, submit(client, "measured@2", bad, probabilities="true", on_error="column"))
    good = client.get(f"/jobs/{new['id']}/result").text.splitlines(keepends=True)[: ROWS - 200 + 1]
    predicted = pd.concat([result_of(client, old["id"])[:200], pd.read_csv(io.StringIO("".join(good)))])
    truth = pd.concat([TRUTH, pd.DataFrame({"id": ["kx", "k0", "lost", "k1"], "y": ["1", "0", "1", ""]})])
    answer = client.post(
        "/models/measured/actuals",
        params={"key": "id", "wait": 60},
        content=csv(truth),
        headers={"Content-Type": "text/csv"},
    )
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded"), answer.text
    id = answer.json()["id"]
    report = client.get("/models/measured/actuals", params={"job": id}).json()
    days = report.pop("days")
    assert report == {
        "model": "measured",
        "key": ["id"],
        "truth": "y",
        "rows": ROWS + 4,
        "matched": ROWS,
        "unmatched": 2,
        "without_truth": 1,
        "repeated_keys": 1,
        "older_predictions": 100,
        "jobs": 2,
        "jobs_in_part": 0,
        "jobs_without_key": 1,
    }
    by_hand = predicted.merge(truth.query("y != ''").drop_duplicates("id", keep="last"), on="id")
    by_hand["y"], by_hand["prediction"] = by_hand["y"].astype(int), by_hand["prediction"].astype(int)
    assert by_hand["id"].is_unique
    today = datetime.fromtimestamp(int(new["id"].replace("-", "")[:12], 16) / 1000, UTC).date().isoformat()
    for one, version, some in zip(days, "12", (by_hand[:200], by_hand[200:]), strict=True):
        assert (one["day"], one["version"], one["rows"]) == (today, version, len(some))
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(
            some["y"], some["prediction"], average="binary"
        )
        wanted = {
            "accuracy": metrics.accuracy_score(some["y"], some["prediction"]),
            "precision": precision,
            "recall": recall,
            "f1": f1,
            "log_loss": None,
            "roc_auc": None,
        }
        if version == "2":
            shares = some[["probability_0", "probability_1"]]
            wanted["log_loss"] = metrics.log_loss(some["y"], shares)
            wanted["roc_auc"] = metrics.roc_auc_score(some["y"], shares["probability_1"])
        assert one["metrics"] == {name: value and pytest.approx(value, abs=1e-12) for name, value in wanted.items()}
    assert client.get("/models/measured/actuals").json() == {"model": "measured", "days": days}
    table = result_of(client, id)
    assert table["accuracy"].tolist() == [one["metrics"]["accuracy"] for one in days]
    assert '<h2 id="actuals">' in client.get("/ui/models/measured").text
    assert client.get(f"/ui/jobs/{id}").status_code == 200
    stack.redis.delete("rowcast:actuals:measured")
    assert client.get("/models/measured/actuals").json()["days"] == days  # the store has them
    lost = Path(stack.location) / "jobs" / new["id"] / "parts" / "0000000"
    part = lost.read_bytes()
    lost.unlink()
    with Client(stack.url) as service:
        again = service.send_actuals("measured", csv(truth), key="id")
    counts = [again[name] for name in ("matched", "jobs", "jobs_in_part", "jobs_without_key", "older_predictions")]
    assert counts == [ROWS, 2, 1, 1, 100 - 64]
    assert [one["rows"] for one in again["days"]] == [200 + 64, 200 - 64]
    lost.write_bytes(part)
    stack.audit()


def test_a_regressor_is_measured_through_the_client_and_the_command(
    stack: Stack, models: dict[str, Any], client: httpx.Client, capsys: pytest.CaptureFixture[str], tmp_path: Any
) -> None:
    from rowcast.cli.main import main

    job = wait(client, submit(client, "amount", csv(FRAME), output="predictions", key="id"))
    assert job["status"] == "succeeded", job
    file = tmp_path / "true.csv"
    file.write_bytes(csv(AMOUNT, sep=";"))
    with Client(stack.url) as service:
        report = service.send_actuals("amount", file, truth="amount", delimiter=";")
        assert (report["key"], report["matched"]) == (["id"], ROWS)
        (day,) = service.actuals("amount")
        with pytest.raises(Unprocessable, match="amuont"):
            service.send_actuals("amount", file, key="id", truth="amuont", delimiter=";")
        with pytest.raises(JobFailed, match="more fields than its header line"):
            service.send_actuals("amount", b"id,amount\nk1,1,4\n", key="id", truth="amount")
        with pytest.raises(JobFailed, match="different columns"):
            service.send_actuals("amount", file, key="amount", truth="amount", delimiter=";")
        with pytest.raises(JobFailed, match=r"Row 2 \(bytes; is a quote not closed\?\).*\(ROWCAST_MAX_ROW_BYTES"):
            service.send_actuals("amount", b'id,amount\nk1,1\nk2,"' + b"9\n" * 1_000_000, key="id", truth="amount")
        with pytest.raises(JobFailed, match="not a number"):
            service.send_actuals("amount", b"id,amount\nk1,much\n", key="id", truth="amount")
    both = result_of(client, job["id"]).merge(AMOUNT, on="id")
    error = metrics.mean_squared_error(both["amount"], both["prediction"])
    assert day["metrics"] == {
        "mae": pytest.approx(metrics.mean_absolute_error(both["amount"], both["prediction"]), abs=1e-12),
        "rmse": pytest.approx(math.sqrt(error), abs=1e-12),
        "r2": pytest.approx(metrics.r2_score(both["amount"], both["prediction"]), abs=1e-12),
    }
    words = ["models", "actuals", "amount", str(file), "--key", "id", "--truth", "amount", "--delimiter", ";"]
    assert main([*words, "--url", stack.url]) == 0
    out, said = capsys.readouterr()
    assert "400 of 400 rows joined with 1 job." in said
    assert f"{day['metrics']['mae']:.4g}" in out
    assert main(["models", "actuals", "amount", "--url", stack.url, "--json"]) == 0
    assert json.loads(capsys.readouterr()[0])["days"][0]["rows"] == ROWS


def test_what_cannot_be_measured_is_refused(models: dict[str, Any], client: httpx.Client) -> None:
    for path, params, status, said in (
        ("measurd", {}, 404, "the nearest is 'measured'"),
        ("measured@1", {}, 404, "belong to a model, not to a version"),
        ("amount", {"key": "id"}, 422, "knows no target"),
        ("measured", {"since": "yesterday"}, 422, "must be a time"),
        ("measured", {"delimiter": "ab"}, 422, "one ASCII character"),
    ):
        answer = client.post(
            f"/models/{path}/actuals", params=params, content=b"id,y\n", headers={"Content-Type": "text/csv"}
        )
        assert (answer.status_code, said in answer.text) == (status, True), answer.text
    assert "is empty" in client.post("/models/measured/actuals", headers={"Content-Type": "text/csv"}).json()["detail"]
    assert client.get("/models/measured/actuals", params={"job": "nothing"}).status_code == 404
