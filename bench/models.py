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
from training.add_model import add
from training.fitting.pipelines import recipe

KINDS: dict[str, dict[str, Any]] = {
    "logistic_regression": {},
    "hist_gradient_boosting": {"max_iter": 100},
    "random_forest": {"n_estimators": 100, "max_depth": 12},
}
TRAINING_ROWS = 50_000
SAMPLE_ROWS = 1_000


def fit(data: Path, kind: str, models: Path) -> Path:
    """Fits `kind` to the file's first rows, adds it as `DATA-KIND` as users do, and returns the path of its pickle."""
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
        models.parent.mkdir(parents=True, exist_ok=True)
        made = pickled.with_suffix(".part")
        made.write_bytes(pickle.dumps(pipeline))
        sample = pickled.with_suffix(".csv")
        table.head(SAMPLE_ROWS).to_csv(sample, index=False)
        add(made, name, Registry(Storage(str(models))), sample)
        made.rename(pickled)
    return pickled


def _kind(column: "pd.Series[float]") -> Literal["number", "text"]:
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"
