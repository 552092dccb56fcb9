"""The refusals of a rehearsal that finds no agreement: each says what to do."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from rowcast.errors import Unprocessable
from training.add_model import add


class OneMoreWhenLoaded(RegressorMixin, BaseEstimator):
    """Predicts how often it was copied or loaded."""

    def __init__(self, loads=0):
        self.loads = loads

    def fit(self, table, _target):
        self.n_features_in_ = table.shape[1]
        self.feature_names_in_ = np.array(table.columns, "object")
        return self

    def __setstate__(self, state):
        self.__dict__.update(state, loads=state["loads"] + 1)

    def predict(self, table):
        return np.full(len(table), float(self.loads))


def last_digits(frame):
    return frame.map(lambda value: int(value) % 1000)


def refusal(estimator, sample, folder, registry):
    (folder / "model.pkl").write_bytes(pickle.dumps(estimator))
    sample.to_csv(folder / "sample.csv", index=False)
    with pytest.raises(Unprocessable) as refused:
        add(folder / "model.pkl", "m", registry, folder / "sample.csv")
    assert registry.names() == []
    return refused.value.detail


def test_a_model_that_changes_when_it_is_loaded_is_refused_with_what_to_look_for(registry, tmp_path):
    sample = pd.DataFrame({"a": np.arange(100) / 2})
    detail = refusal(OneMoreWhenLoaded().fit(sample, None), sample, tmp_path, registry)
    assert "in row 1 of sample.csv `predict` gives" in detail
    assert "Compare `predict` of `pickle.loads(pickle.dumps(model))`" in detail


def test_numbers_that_the_service_cannot_hold_are_refused_with_the_options_to_try(registry, tmp_path):
    sample = pd.DataFrame({"a": np.arange(100, dtype="uint64") + np.uint64(2**63 + 7)})
    model = make_pipeline(FunctionTransformer(last_digits), LinearRegression()).fit(sample, np.arange(100))
    detail = refusal(model, sample, tmp_path, registry)
    assert "no types of the columns" in detail
    assert "dtype as --kind NAME=KIND" in detail
