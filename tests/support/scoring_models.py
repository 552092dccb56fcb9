"""Small real models, one of each sort that a worker meets."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pytest
from loaded_models import loaded, numbers
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Feature

ROWS = 400


@pytest.fixture(scope="session")
def training() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(random.normal(size=(ROWS, 3)).round(3), columns=["a", "b", "c"])


@pytest.fixture(scope="session")
def models(training: pd.DataFrame) -> Mapping[str, LoadedModel]:
    random = np.random.default_rng(1)
    sign = (training["a"] + training["b"] > 0).astype(int)
    names = np.where(training["a"] > 0.5, "high, up", np.where(training["a"] < -0.5, 'low "down"', "mid"))
    amount = training.sum(axis=1)
    gaps = training.mask(random.random(training.shape) < 0.2)
    town = pd.Series(random.choice(["Aix", "Bonn", "Köln, Süd"], ROWS), dtype="object")
    mixed = pd.DataFrame({"a": gaps["a"], "town": town, "flag": pd.Series(random.random(ROWS) < 0.5, dtype="object")})
    forest = {"max_iter": 10, "random_state": 0}
    encode = ColumnTransformer(
        [
            ("number", "passthrough", ["a"]),
            (
                "text",
                make_pipeline(FunctionTransformer(pd.DataFrame.fillna, kw_args={"value": ""}), _one_hot()),
                ["town"],
            ),
            ("flag", FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "float64"}), ["flag"]),
        ]
    )
    mixed_features = [
        Feature(name="a", kind="number", missing=True),
        Feature(name="town", kind="text", missing=True),
        Feature(name="flag", kind="boolean", missing=True),
    ]
    strict = ColumnTransformer([("town", OneHotEncoder(handle_unknown="error"), ["town"])], remainder="passthrough")
    three = numbers("a", "b", "c")
    return {
        "logistic": loaded(make_pipeline(StandardScaler(), LogisticRegression()).fit(training, sign), three, [0, 1]),
        "labels": loaded(LogisticRegression().fit(training, names), three, ["high, up", 'low "down"', "mid"]),
        "truth": loaded(LogisticRegression().fit(training, sign == 1), three, [False, True]),
        "trees": loaded(
            HistGradientBoostingClassifier(**forest).fit(gaps, sign), numbers("a", "b", "c", missing=True), [0, 1]
        ),
        "amount": loaded(HistGradientBoostingRegressor(**forest).fit(training, amount), three),
        "ridge": loaded(Ridge().fit(training, amount), three),
        "nameless": loaded(Ridge().fit(training.to_numpy(), amount), three),
        "mixed": loaded(
            make_pipeline(encode, HistGradientBoostingClassifier(**forest)).fit(mixed, sign), mixed_features, [0, 1]
        ),
        "strict": loaded(
            make_pipeline(strict, LogisticRegression()).fit(mixed[["a", "town"]].fillna({"a": 0.0}), sign),
            [*numbers("a"), Feature(name="town", kind="text", missing=False)],
            [0, 1],
        ),
    }


def _one_hot() -> OneHotEncoder:
    return OneHotEncoder(handle_unknown="ignore", sparse_output=False)
