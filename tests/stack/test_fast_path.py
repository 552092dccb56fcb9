"""The fast path through HTTP and the queue: the bits are those of the script, and the log says that it was used."""

import csv
import io
import json
import pickle
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from programs import Stack, until
from registering import FEW_ALONE
from scored import submit, wait
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.pipeline import Pipeline, make_pipeline

from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import AddOptions

COLUMNS = ["a", "b", "c"]
ROWS = 3_000
MODELS = {
    "boosting": HistGradientBoostingClassifier(max_iter=20, random_state=0),
    "forest": RandomForestClassifier(n_estimators=20, random_state=0),
}


def rows(number: int, seed: int) -> pd.DataFrame:
    """Returns numbers with 17 digits, of which a tenth are missing."""
    random = np.random.default_rng(seed)
    table = pd.DataFrame(random.normal(size=(number, len(COLUMNS))), columns=COLUMNS)
    return table.mask(random.random(table.shape) < 0.1)


def fitted(name: str) -> Pipeline:
    table = rows(500, 1)
    chosen = ColumnTransformer([("numbers", "passthrough", COLUMNS)])
    return make_pipeline(chosen, MODELS[name]).fit(table, table["a"].fillna(0) + table["b"].fillna(1) ** 2 > 0.5)


def thresholds(model: Any) -> dict[int, list[float]]:
    """Returns the thresholds of a model's trees by column, without the infinite ones, which only part missing cells."""
    if isinstance(model, RandomForestClassifier):
        trees = [tree.tree_ for tree in model.estimators_]
        pairs = [pair for tree in trees for pair in zip(tree.feature, tree.threshold, strict=True)]
    else:
        nodes = [node for trees in model._predictors for tree in trees for node in tree.nodes if not node["is_leaf"]]
        pairs = [(node["feature_idx"], node["num_threshold"]) for node in nodes]
    finite = [(column, float(value)) for column, value in pairs if np.isfinite(value)]
    return {column: [value for number, value in finite if number == column] for column in range(len(COLUMNS))}


def at_thresholds(table: pd.DataFrame, model: Any) -> pd.DataFrame:
    """Returns the rows with every second cell at a threshold, or at the next number above or below one."""
    changed, random = table.copy(), np.random.default_rng(2)
    for column, values in thresholds(model).items():
        cells = random.choice(values, len(table))
        kinds = random.integers(3, size=len(table))
        cells = np.where(kinds == 0, cells, np.nextafter(cells, np.where(kinds == 1, np.inf, -np.inf)))
        changed.iloc[::2, column] = cells[::2]
    return changed


@pytest.mark.parametrize("name", MODELS)
def test_a_file_has_the_bits_of_the_script_by_the_fast_path(
    client: httpx.Client, stack: Stack, tmp_path: Path, name: str
) -> None:
    model = fitted(name)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(model))
    rows(200, 3).to_csv(tmp_path / "sample.csv", index=False)
    registry = Registry(Storage(str(stack.models)))
    add(tmp_path / "model.pkl", f"fast-{name}", registry, tmp_path / "sample.csv", AddOptions(alone=FEW_ALONE))
    document = client.get(f"/models/fast-{name}/versions/1").json()
    assert document["fast_path"]["exact"] is True
    assert [one["class_name"] for one in document["fast_path"]["estimators"]] == [type(MODELS[name]).__name__]

    file = tmp_path / "file.csv"
    at_thresholds(rows(ROWS, 4), model[-1]).to_csv(file, index=False)
    table = pd.read_csv(file)[COLUMNS]
    wanted = model.predict_proba(table)
    id = submit(client, f"fast-{name}", file.read_bytes(), output="predictions", probabilities="true")
    assert wait(client, id)["status"] == "succeeded"
    found = list(csv.DictReader(io.StringIO(client.get(f"/jobs/{id}/result").text)))
    assert [row["prediction"] for row in found] == [str(label) for label in model.predict(table)]
    shares = np.array([[float(row[f"probability_{label}"]) for label in model.classes_] for row in found])
    assert shares.tobytes() == wanted.tobytes()

    def scored() -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in stack.log("worker").splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == "chunk_scored" and line["job"] == id]

    until(scored, "the chunk is in the log")
    assert all(line["fast_path"] for line in scored())
    row = json.loads(table.iloc[[0]].to_json(orient="records"))[0]
    single = client.post(
        "/predict?wait=30", json={"features": row, "model": f"fast-{name}", "probabilities": True}
    ).json()
    exact = model.predict_proba(pd.DataFrame([row], columns=COLUMNS, dtype="float64"))
    assert np.array(list(single["probabilities"].values())).tobytes() == exact.tobytes()
