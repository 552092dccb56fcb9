"""The models, fitted once and registered. The script and the limit load the same pickles."""

import pickle
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from sklearn.base import BaseEstimator

from bench.data import TARGET
from rowcast.models.model_manifest import Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.fitting.pipelines import recipe
from training.registration import draft

KINDS: dict[str, dict[str, Any]] = {
    "logistic_regression": {},
    "hist_gradient_boosting": {"max_iter": 100},
    "random_forest": {"n_estimators": 100, "max_depth": 12},
}
TRAINING_ROWS = 50_000


def fit(data: Path, kind: str, models: Path) -> Path:
    """Fits `kind` to the file's first rows, registers it as `DATA-KIND`, and returns the path of its pickle."""
    name = f"{data.stem.split('-')[0]}-{kind}"
    pickled = models.parent / f"{name}.pkl"
    if not pickled.exists():
        table = pd.read_csv(data, nrows=TRAINING_ROWS)
        target = table.pop(TARGET) if TARGET in table else (table["x0"] * table["x1"] > table["x2"]).astype(int)
        features = [Feature(name=str(name), kind=_kind(table[name]), missing=True) for name in table]
        pipeline = recipe(kind, "classification").build(features, len(table))
        last: BaseEstimator = pipeline.steps[-1][1]
        last.set_params(**KINDS[kind])
        pipeline.fit(table, target)
        document = draft(
            pipeline,
            training={},
            features=features,
            task="classification",
            classes=pipeline.classes_.tolist(),
            probabilities=True,
        )
        Registry(Storage(str(models))).register(name, pickle.dumps(pipeline), document)
        pickled.write_bytes(pickle.dumps(pipeline))
    return pickled


def _kind(column: "pd.Series[float]") -> Literal["number", "text"]:
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"
