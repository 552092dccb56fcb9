"""Models that were fitted without names: on arrays, on lists of columns by place, by steps that keep no names."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import users_code
from as_the_service import Reading, differences, fit, register, single_differences, write_csv
from feature_kinds import KINDS, column
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

# A worker leaves this warning out, too (worker/__main__.py).
pytestmark = pytest.mark.filterwarnings("ignore:X has feature names")

READ = Reading()

COLUMNS = {"height": "float", "age": "integer", "town": "text", "member": "boolean"}

trees = ExtraTreesRegressor(5, random_state=0)


def one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)


def by_place() -> ColumnTransformer:
    return ColumnTransformer([("numbers", SimpleImputer(), [0, 1]), ("words", ordinal(), [2, 3])])


def ordinal() -> OrdinalEncoder:
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2)


MODELS: dict[str, tuple[Any, list[str], bool]] = {
    "linear": (make_pipeline(SimpleImputer(), LinearRegression()), ["height", "age"], True),
    "logistic": (make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()), ["height", "age"], True),
    "hist boosting": (HistGradientBoostingClassifier(max_iter=5), ["height", "age"], True),
    "one column": (HistGradientBoostingClassifier(max_iter=5), ["height"], True),
    "trees of objects": (make_pipeline(ordinal(), trees), list(COLUMNS), True),
    "one-hot of objects": (make_pipeline(one_hot(), users_code.Checksum()), ["age", "town"], True),
    "columns by place of an array": (make_pipeline(by_place(), trees), list(COLUMNS), True),
    "columns by place of a frame": (make_pipeline(by_place(), trees), list(COLUMNS), False),
    "own picker of numbers": (
        make_pipeline(users_code.Picker(["age"]), SimpleImputer(), users_code.Checksum()),
        list(COLUMNS),
        False,
    ),
    "own picker of words": (
        make_pipeline(users_code.Picker(["town", "member"]), ordinal(), trees),
        list(COLUMNS),
        False,
    ),
    "own estimator": (users_code.Checksum(), ["height", "age"], True),
}


def table(path: Path, rows: int, seed: int) -> Path:
    random = np.random.default_rng(seed)
    missing = {"height": "", "age": "NA", "town": "None", "member": "null"}
    return write_csv(path, {name: column(KINDS[kind], missing[name], random, rows) for name, kind in COLUMNS.items()})


@pytest.mark.parametrize("name", MODELS)
def test_models_without_names_predict_as_the_script(tmp_path: Path, name: str) -> None:
    model, features, as_array = MODELS[name]
    sample, file = table(tmp_path / "sample.csv", 200, 1), table(tmp_path / "file.csv", 300, 2)
    rows = pd.read_csv(sample)[features]
    target = np.random.default_rng(3).integers(0, 3, len(rows))
    fit(model, rows.to_numpy() if as_array else rows, target)
    write_csv(sample, {name: pd.read_csv(sample, dtype=str, keep_default_na=False)[name] for name in features})
    served = register(tmp_path, model, sample, READ)
    found = differences(model, served, file, features, READ)
    found += single_differences(model, served, file, features, READ, exact=name not in ("linear", "logistic"))
    assert not found, "\n".join(found)
