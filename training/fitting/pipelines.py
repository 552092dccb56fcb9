"""The pipelines: what each estimator needs before it (imputing, encoding, scaling), and how it is set.

A pipeline holds classes and functions of scikit-learn, numpy and pandas alone: a worker that opens its pickle
has no `training` package. It takes the table of `column_kinds.py` and, just as well, what `pandas.read_csv` makes
of the same file, and predicts the same for both.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from rowcast.errors import Unprocessable
from rowcast.models.model_manifest import Feature
from rowcast.nearest import or_nearest
from training.fitting.estimator_names import FAMILIES, SUFFIXES
from training.fitting.target import Task

SEED = 0
"""Training twice on the same rows gives the same predictions."""

ONE_HOT_CATEGORIES = 32
"""A column each, of 8 bytes a row: rarer values share the last one."""

ORDINAL_CATEGORIES = 254
"""Histogram boosting takes 255 values, missing apart; rarer ones share the last."""

FOREST_LEAVES = 10_000
"""A forest of one-row leaves would be larger than the data; a tree has at most so many."""


Build = Callable[[Sequence[Feature], int], Pipeline]
"""Makes a pipeline for these features and so many rows."""


class Recipe(NamedTuple):
    """An estimator with what stands before it."""

    task: Task
    build: Build


def recipe(estimator: str, task: Task) -> Recipe:
    """The pipeline of an estimator's name. A name without `_classifier` or `_regressor` serves both tasks.

    Raises:
        Unprocessable: there is no such estimator.
    """
    full_name = estimator if estimator in RECIPES else estimator + SUFFIXES[task]
    if full_name not in RECIPES:
        near = or_nearest(estimator, [*FAMILIES, *RECIPES], limit=3)
        raise Unprocessable.at("estimator", f"there is no estimator {estimator!r}; {near}")
    return RECIPES[full_name]


def asked_task(estimator: str) -> Task | None:
    """The task that an estimator's name asks for by its ending, if it does."""
    return RECIPES[estimator].task if estimator in RECIPES else None


def _boosting(estimator: Callable[..., BaseEstimator]) -> Build:
    def build(features: Sequence[Feature], _rows: int) -> Pipeline:
        texts = sum(feature.kind == "text" for feature in features)
        fitted = estimator(
            # Its own held-out rows would be lost to the model; ours have measured it by then.
            early_stopping=False,
            categorical_features=list(range(len(features) - texts, len(features))) or None,
            random_state=SEED,
        )
        return _pipeline(features, [], _ordinal(), fitted)

    return build


def _forest(estimator: Callable[..., BaseEstimator], max_features: float | str) -> Build:
    def build(features: Sequence[Feature], rows: int) -> Pipeline:
        leaf = max(3, rows // FOREST_LEAVES)
        forest = estimator(min_samples_leaf=leaf, max_features=max_features, n_jobs=-1, random_state=SEED)
        return _pipeline(features, [], _ordinal(), forest)

    return build


def _linear(estimator: Callable[[], BaseEstimator]) -> Build:
    def build(features: Sequence[Feature], _rows: int) -> Pipeline:
        one_hot = OneHotEncoder(
            handle_unknown="infrequent_if_exist", max_categories=ONE_HOT_CATEGORIES, sparse_output=False
        )
        return _pipeline(features, [SimpleImputer(strategy="median"), StandardScaler()], one_hot, estimator())

    return build


def _ordinal() -> OrdinalEncoder:
    """Values as numbers; one that training has not seen counts as missing, which trees can take."""
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=ORDINAL_CATEGORIES)


def _pipeline(
    features: Sequence[Feature], on_numbers: list[BaseEstimator], encoder: BaseEstimator, last: BaseEstimator
) -> Pipeline:
    """Numbers, then booleans, then text, each made into numbers, then the estimator."""
    columns = {
        kind: [feature.name for feature in features if feature.kind == kind] for kind in ("number", "boolean", "text")
    }
    if len(columns["number"]) == len(features):  # no splitting: half the overhead of a single row
        return make_pipeline(*on_numbers, last)
    steps = {
        "number": make_pipeline(*on_numbers) if on_numbers else "passthrough",
        "boolean": make_pipeline(_flags(), *on_numbers),
        "text": make_pipeline(*_texts(), encoder),
    }
    split = ColumnTransformer([(kind, steps[kind], columns[kind]) for kind in columns if columns[kind]])
    return make_pipeline(split, last)


def _flags() -> FunctionTransformer:
    """Booleans as 1.0 and 0.0, a missing one (None, NaN or NA, as the reader has it) as NaN."""
    return FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "float64"}, feature_names_out="one-to-one")


def _texts() -> list[FunctionTransformer]:
    """Text of any of pandas' dtypes as its own, a missing one (None, NaN or NA) as the empty text."""
    return [
        FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "str"}, feature_names_out="one-to-one"),
        FunctionTransformer(pd.DataFrame.fillna, kw_args={"value": ""}, feature_names_out="one-to-one"),
    ]


def _logistic_regression() -> BaseEstimator:
    return LogisticRegression(max_iter=1000, random_state=SEED)


RECIPES: dict[str, Recipe] = {
    "logistic_regression_classifier": Recipe("classification", _linear(_logistic_regression)),
    "logistic_regression_regressor": Recipe("regression", _linear(Ridge)),
    "random_forest_classifier": Recipe("classification", _forest(RandomForestClassifier, "sqrt")),
    "random_forest_regressor": Recipe("regression", _forest(RandomForestRegressor, 1 / 3)),
    "hist_gradient_boosting_classifier": Recipe("classification", _boosting(HistGradientBoostingClassifier)),
    "hist_gradient_boosting_regressor": Recipe("regression", _boosting(HistGradientBoostingRegressor)),
}
"""Every estimator by its full name. For amounts, ridge regression stands in for the logistic one."""
