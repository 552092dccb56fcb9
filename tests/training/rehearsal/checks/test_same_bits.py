"""What the manifest says about the fast path, and how that reads."""

from typing import Any

import numpy as np
import pytest
from loaded_models import loaded, numbers
from sklearn.ensemble import (
    AdaBoostRegressor,
    ExtraTreesClassifier,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from rowcast.models.loading.load import LoadedModel
from training.rehearsal.checks import same_bits
from training.rehearsal.checks.same_bits import fast_path

TABLE = np.random.default_rng(0).normal(size=(200, 3))
AMOUNT = TABLE[:, 0] * 2 + TABLE[:, 1]


def model(estimator: Any) -> LoadedModel:
    target = AMOUNT > 0 if hasattr(estimator, "predict_proba") else AMOUNT
    return loaded(estimator.fit(TABLE, target), numbers("a", "b", "c", missing=True))


@pytest.mark.parametrize(
    ("estimator", "path"),
    [
        (HistGradientBoostingRegressor(max_iter=3), "model"),
        (make_pipeline(StandardScaler(), ExtraTreesClassifier(3)), "model.steps[1][1]"),
    ],
)
def test_trees_that_predict_the_same_bits_are_named(estimator: Any, path: str) -> None:
    found = fast_path(model(estimator), TABLE)
    assert found.exact
    assert [(one.path, one.exact, one.reason) for one in found.estimators] == [(path, True, None)]
    assert str(found) == f"Yes, with the same bits: {found.estimators[0].class_name}."


def test_a_model_without_trees_and_encoders_has_no_fast_path() -> None:
    found = fast_path(model(LinearRegression()), TABLE)
    assert not found.exact
    assert "neither trees nor encoders" in found.reason
    assert str(found) == f"No. {found.reason}"


def test_a_difference_in_one_bit_is_the_reason_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    other = RandomForestRegressor(3, random_state=1).fit(TABLE, AMOUNT)
    monkeypatch.setattr(same_bits, "accelerate", lambda estimator: other)
    found = fast_path(model(RandomForestRegressor(3)), TABLE)
    assert not found.exact
    assert str(found).startswith("No. Its bits differ: model.predict on the sample: ")
    assert [one.exact for one in found.estimators] == [False]


def test_what_is_left_as_it_is_has_a_reason() -> None:
    found = fast_path(model(VotingRegressor([("trees", RandomForestRegressor(3)), ("other", own_forest())])), TABLE)
    assert found.exact
    taken, left = found.estimators
    assert (taken.exact, left.exact) == (True, False)
    assert str(found) == f"Yes, with the same bits: RandomForestRegressor. OwnForest is left as it is: {left.reason}"


class OwnForest(RandomForestRegressor):
    """A class of the user's own, which may predict in its own way."""


def own_forest() -> OwnForest:
    return OwnForest(n_estimators=3)


def test_without_numba_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "numba", None)
    assert fast_path(model(AdaBoostRegressor(n_estimators=2)), TABLE) is None
