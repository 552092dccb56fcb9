"""Models in each format are registered, and predict in a worker as in their users' own scripts, to the last bit."""

import csv
import io
import pickle
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cloudpickle
import httpx
import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest
import skops.io
import xgboost
from programs import Stack
from registering import FEW_ALONE
from scored import submit, wait
from sklearn.compose import make_column_transformer
from sklearn.ensemble import GradientBoostingClassifier, HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.add_model import add
from training.add_options import AddOptions
from training.formats.formats import FORMATS
from training.formats.trusted_types import TRUSTED_TYPES

NUMBERS = ["a", "b"]
LABELS = np.array(["high", "low", "mid"])
ROWS = 150


def table() -> pd.DataFrame:
    random = np.random.default_rng(3)
    made = pd.DataFrame(random.normal(size=(ROWS, 2)), columns=NUMBERS)
    made.loc[::9, "b"] = np.nan
    return made.assign(town=random.choice(["Aix", "Oslo", "Ulm"], ROWS))


def labels(frame: pd.DataFrame) -> Any:
    return np.digitize(frame["a"] + frame["b"].fillna(0.3), [-0.5, 0.5])


def pipeline(last: Any) -> Any:
    encoded = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS), (OneHotEncoder(sparse_output=False), ["town"])
    )
    return make_pipeline(encoded, last)


@dataclass(frozen=True)
class Case:
    """A model in a format: what is fitted, how it is saved, and how the user's script has it again."""

    format: str
    file: str
    fit: Callable[[pd.DataFrame], Any]
    save: Callable[[Any, Path], Any]
    #: Returns the model as a script has it, from the fitted model and the file.
    script: Callable[[Any, Path], Any]
    features: tuple[str, ...] = (*NUMBERS, "town")
    classes: tuple[str, ...] = ()


def trees(frame: pd.DataFrame) -> Any:
    return pipeline(GradientBoostingClassifier(n_estimators=4)).fit(frame, LABELS[labels(frame)])


def boosting(frame: pd.DataFrame) -> Any:
    return pipeline(HistGradientBoostingClassifier(max_iter=4)).fit(frame, LABELS[labels(frame)])


def xgboost_classes(frame: pd.DataFrame) -> Any:
    return xgboost.XGBClassifier(n_estimators=4, n_jobs=2).fit(frame, labels(frame))


def xgboost_amounts(frame: pd.DataFrame) -> Any:
    return xgboost.XGBRegressor(n_estimators=4, n_jobs=2).fit(frame, frame["a"] * 2)


def lightgbm_classes(frame: pd.DataFrame) -> Any:
    return lightgbm.LGBMClassifier(n_estimators=4, verbose=-1, n_jobs=2).fit(frame, LABELS[labels(frame)])


def lightgbm_answers(frame: pd.DataFrame) -> Any:
    return lightgbm.LGBMClassifier(n_estimators=4, verbose=-1).fit(frame, labels(frame) > 0)


def lightgbm_amounts(frame: pd.DataFrame) -> Any:
    return lightgbm.LGBMRegressor(n_estimators=4, verbose=-1).fit(frame, frame["a"] * 2)


def load_native(kind: type[Any]) -> Callable[[Any, Path], Any]:
    def load(_model: Any, file: Path) -> Any:
        model = kind()
        model.load_model(file)
        return model

    return load


def load_skops(_model: Any, file: Path) -> Any:
    return skops.io.load(file, trusted=sorted(TRUSTED_TYPES))


def by_native(model: Any, file: Path) -> Any:
    model.save_model(file)


def by_booster(model: Any, file: Path) -> Any:
    model.booster_.save_model(file)


def the_model(model: Any, _file: Path) -> Any:
    """LightGBM's own file has no classifier, so the script is the one that has trained it."""
    return model


NATIVE = {"features": tuple(NUMBERS)}
CASES = {
    "pickle": Case("pickle", "m.pkl", trees, lambda m, f: f.write_bytes(pickle.dumps(m)), lambda _, f: joblib.load(f)),
    "cloudpickle": Case(
        "pickle", "m.any", trees, lambda m, f: f.write_bytes(cloudpickle.dumps(m)), lambda _, f: joblib.load(f)
    ),
    "joblib": Case("joblib", "m.joblib", trees, joblib.dump, lambda _, f: joblib.load(f)),
    "joblib, zlib": Case(
        "joblib", "m.sav", boosting, lambda m, f: joblib.dump(m, f, compress=3), lambda _, f: joblib.load(f)
    ),
    "skops": Case("skops", "m.skops", trees, skops.io.dump, load_skops),
    "skops of boosting": Case("skops", "m.skops", boosting, skops.io.dump, load_skops),
    "skops of xgboost": Case("skops", "m.skops", xgboost_classes, skops.io.dump, load_skops, **NATIVE),
    "skops of lightgbm": Case("skops", "m.skops", lightgbm_classes, skops.io.dump, load_skops, **NATIVE),
    "xgboost, ubj": Case("xgboost", "m.ubj", xgboost_classes, by_native, load_native(xgboost.XGBClassifier), **NATIVE),
    "xgboost, json": Case("xgboost", "m.json", xgboost_amounts, by_native, load_native(xgboost.XGBRegressor), **NATIVE),
    "lightgbm": Case(
        "lightgbm", "m.txt", lightgbm_classes, by_booster, the_model, classes=("high", "low", "mid"), **NATIVE
    ),
    "lightgbm of two classes": Case(
        "lightgbm", "m.lgb", lightgbm_answers, by_booster, the_model, classes=("False", "True"), **NATIVE
    ),
    "lightgbm of amounts": Case("lightgbm", "m.txt", lightgbm_amounts, by_booster, the_model, **NATIVE),
}


def test_each_format_has_a_case() -> None:
    assert {case.format for case in CASES.values()} == {one.name for one in FORMATS}


@pytest.mark.xdist_group("formats")
@pytest.mark.parametrize("name", CASES)
def test_a_model_in_each_format_predicts_as_the_users_script(
    stack: Stack, client: httpx.Client, tmp_path: Path, name: str
) -> None:
    case, known_as, sample = CASES[name], f"format-{list(CASES).index(name)}", tmp_path / "sample.csv"
    table().to_csv(sample, index=False)
    columns = list(case.features)
    frame = pd.read_csv(sample)[columns]
    model, file = case.fit(frame), tmp_path / case.file
    case.save(model, file)
    options = AddOptions(classes=case.classes, alone=FEW_ALONE)
    add(file, known_as, Registry(Storage(str(stack.models))), sample, options)

    predicted = case.script(model, file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted, shares = predicted.predict(frame), _shares(predicted, frame)
    options = {"output": "predictions", **({"probabilities": "true"} if shares is not None else {})}
    id = submit(client, known_as, sample.read_bytes(), **options)
    assert wait(client, id)["status"] == "succeeded"
    found = list(csv.DictReader(io.StringIO(client.get(f"/jobs/{id}/result").text)))
    assert [row["prediction"] for row in found] == [str(value) for value in wanted]
    if shares is not None:
        texts = [[row[column] for column in row if column.startswith("probability_")] for row in found]
        assert np.array(texts, dtype=shares.dtype).tobytes() == shares.tobytes()
    manifest = client.get(f"/models/{known_as}/versions/1").json()
    assert manifest["training"]["format"] == case.format
    assert manifest["golden"]["rows"] > 0
    assert manifest["classes"] == (None if shares is None else predicted.classes_.tolist())


def _shares(model: Any, frame: pd.DataFrame) -> Any:
    return model.predict_proba(frame) if hasattr(model, "predict_proba") else None
