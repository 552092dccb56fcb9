"""Methods of a pipeline return with shared steps what each of them returns by itself."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from rowcast.scoring.predict import called

METHODS = ("predict", "predict_proba", "decision_function")
ROWS = pd.DataFrame({"a": np.arange(40) % 7, "b": np.arange(40) % 3})
LABELS = np.arange(40) % 2


class Counting(TransformerMixin, BaseEstimator):
    """A step that counts how often it runs."""

    def fit(self, rows: Any, labels: Any = None) -> "Counting":
        self.runs_ = 0
        return self

    def transform(self, rows: Any) -> Any:
        self.runs_ += 1
        return np.array(rows, np.float64)


class Careless(ClassifierMixin, BaseEstimator):
    """A last step whose every method changes the rows that it gets."""

    def fit(self, rows: Any, labels: Any) -> "Careless":
        self.classes_ = np.unique(labels)
        return self

    def predict(self, rows: Any) -> Any:
        rows += 1
        return rows.sum(axis=1)

    def predict_proba(self, rows: Any) -> Any:
        rows *= 2
        return rows.copy()

    decision_function = predict


class OwnPipeline(Pipeline):
    def predict_proba(self, X: Any, **params: Any) -> Any:
        return super().predict_proba(X, **params) / 2


def as_text(rows: Any) -> Any:
    return np.array(rows).astype(str).astype(object)


def runs(steps: Any) -> int:
    return int(steps["counting"].runs_)


def test_the_steps_before_the_last_one_run_once_for_all_methods() -> None:
    model = make_pipeline(Counting(), None, "passthrough", LogisticRegression()).fit(ROWS, LABELS)
    before = runs(model)
    shared = called(model, ROWS, METHODS)
    assert runs(model) == before + 1
    assert {method: values.tolist() for method, values in shared.items()} == {
        method: getattr(model, method)(ROWS).tolist() for method in METHODS
    }


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(Counting(), Careless()),
        make_pipeline(StandardScaler().set_output(transform="pandas"), LogisticRegression()),
        make_pipeline(OneHotEncoder(sparse_output=True), LogisticRegression()),
        make_pipeline(FunctionTransformer(as_text), OneHotEncoder(), LogisticRegression()),
        make_pipeline(FunctionTransformer(as_text), make_pipeline(OneHotEncoder(), LogisticRegression())),
        OwnPipeline([("scale", StandardScaler()), ("line", LogisticRegression())]),
        LogisticRegression(),
    ],
    ids=["careless", "frame", "sparse", "text", "text into the last step", "own pipeline", "no pipeline"],
)
def test_each_method_returns_the_bits_that_it_returns_by_itself(model: Any) -> None:
    model.fit(ROWS, LABELS)
    shared = called(model, ROWS.copy(), METHODS)
    assert list(shared) == list(METHODS)
    for method, values in shared.items():
        alone = getattr(model, method)(ROWS.copy())
        assert values.dtype == alone.dtype
        assert values.tobytes() == alone.tobytes()
