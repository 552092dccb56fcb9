"""The pipelines: which steps each estimator needs before it (imputing, encoding, scaling), and its parameters.

A pipeline has only classes and functions of scikit-learn, numpy and pandas, because a worker that opens its pickle has
no `training` package. It accepts the table of `column_kinds.py` as well as the frame that `pandas.read_csv` makes of
the same file, and predicts the same for both.
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
from rowcast.models.estimator_names import FAMILIES, SUFFIXES
from rowcast.models.model_manifest import Feature
from rowcast.wording.nearest import or_nearest
from training.fitting.target import Task

SEED = 0
"""With a fixed seed, training twice on the same rows gives the same predictions."""

ONE_HOT_CATEGORIES = 32
"""Maximum one-hot columns of a feature, of 8 bytes a row each. Rarer values share the last one."""

ORDINAL_CATEGORIES = 254
"""Maximum values of a feature; histogram boosting accepts 255 and a missing one. Rarer values share the last one."""

FOREST_LEAVES = 10_000
"""Maximum leaves of a tree. A forest with one row in each leaf would be larger than the data."""


Build = Callable[[Sequence[Feature], int], Pipeline]
"""Makes a pipeline for these features and this number of rows."""


class Recipe(NamedTuple):
    """How a pipeline is built for one estimator."""

    task: Task
    build: Build


def recipe(estimator: str, task: Task) -> Recipe:
    """Returns the recipe of an estimator's name. A name without `_classifier` or `_regressor` is for both tasks.

    Raises:
        Unprocessable: there is no such estimator.
    """
    full_name = estimator if estimator in RECIPES else estimator + SUFFIXES[task]
    if full_name not in RECIPES:
        near = or_nearest(estimator, [*FAMILIES, *RECIPES], limit=3)
        raise Unprocessable.at("estimator", f"there is no estimator {estimator!r}; {near}")
    return RECIPES[full_name]


def asked_task(estimator: str) -> Task | None:
    """Returns the task that the ending of an estimator's name asks for, for example `_regressor`; else None."""
    return RECIPES[estimator].task if estimator in RECIPES else None


def _boosting(estimator: Callable[..., BaseEstimator]) -> Build:
    def build(features: Sequence[Feature], _rows: int) -> Pipeline:
        texts = sum(feature.kind == "text" for feature in features)
        fitted = estimator(
            # Rows that boosting holds out would be lost to the model, which has been measured on other rows by then.
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
    """Returns an encoder of values as numbers. An unseen value counts as missing, which trees accept."""
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan, max_categories=ORDINAL_CATEGORIES)


def _pipeline(
    features: Sequence[Feature], on_numbers: list[BaseEstimator], encoder: BaseEstimator, last: BaseEstimator
) -> Pipeline:
    """Returns a pipeline that makes numbers of numbers, booleans and text, in this order, for the estimator."""
    columns = {
        kind: [feature.name for feature in features if feature.kind == kind] for kind in ("number", "boolean", "text")
    }
    if len(columns["number"]) == len(features):  # without a ColumnTransformer a single row has half the overhead
        return make_pipeline(*on_numbers, last)
    steps = {
        "number": make_pipeline(*on_numbers) if on_numbers else "passthrough",
        "boolean": make_pipeline(_flags(), *on_numbers),
        "text": make_pipeline(*_texts(), encoder),
    }
    split = ColumnTransformer([(kind, steps[kind], columns[kind]) for kind in columns if columns[kind]])
    return make_pipeline(split, last)


def _flags() -> FunctionTransformer:
    """Returns a step that makes booleans 1.0 and 0.0, and a missing one (None, NaN or NA) NaN."""
    return FunctionTransformer(pd.DataFrame.astype, kw_args={"dtype": "float64"}, feature_names_out="one-to-one")


def _texts() -> list[FunctionTransformer]:
    """Returns steps that convert text of any dtype to pandas' `str`, and a missing one (None, NaN or NA) to ''."""
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
