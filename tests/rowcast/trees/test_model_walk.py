"""Trees are found in whatever holds them, and everything else is shared."""

from typing import Any

import lightgbm
import numpy as np
import pytest
import xgboost
from sklearn import compose, ensemble, linear_model, multioutput, pipeline, preprocessing, tree
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV, RandomizedSearchCV
from sklearn.multiclass import OneVsRestClassifier

import rowcast
from rowcast import trees
from rowcast.trees.fast_copies import FastCopy
from rowcast.trees.fast_estimators import FastEstimator

from .conftest import Data

HGC, HGR = ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor
Forest = ensemble.RandomForestClassifier(4, random_state=0)
Boosting = HGR(max_iter=3)
TREE = {"max_depth": [2, 3]}


class Doubled(ClassifierMixin, BaseEstimator):
    """An estimator of a user's own, which holds a forest in a dictionary."""

    def fit(self, X: Any, y: Any) -> "Doubled":
        self.parts_ = {"forest": clone(Forest).fit(X, y)}
        self.classes_ = self.parts_["forest"].classes_
        return self

    def predict(self, X: Any) -> Any:
        return self.parts_["forest"].predict(X)


#: What holds trees, the column of `Data` that it predicts, and how many trees' estimators are in it.
HOLDERS: dict[str, tuple[Any, str, int]] = {
    "pipeline": (pipeline.make_pipeline(preprocessing.StandardScaler(), Forest), "classes", 1),
    "union": (
        pipeline.make_pipeline(
            pipeline.make_union(preprocessing.MinMaxScaler(), preprocessing.StandardScaler()), Boosting
        ),
        "target",
        1,
    ),
    "columns": (
        pipeline.make_pipeline(
            compose.make_column_transformer((preprocessing.OneHotEncoder(), [5]), remainder="passthrough"), Forest
        ),
        "classes",
        2,
    ),
    "trees in columns": (
        pipeline.make_pipeline(
            compose.make_column_transformer(
                (
                    ensemble.StackingClassifier([("a", Forest)], cv=2, final_estimator=tree.DecisionTreeClassifier()),
                    [0, 1],
                )
            ),
            linear_model.LogisticRegression(),
        ),
        "classes",
        2,
    ),
    "calibrated": (CalibratedClassifierCV(HGC(max_iter=3), cv=2), "classes", 2),
    "voting": (
        ensemble.VotingClassifier([("a", Forest), ("b", HGC(max_iter=3)), ("c", linear_model.LogisticRegression())]),
        "classes",
        2,
    ),
    "voting, numbers": (ensemble.VotingRegressor([("a", Boosting), ("b", tree.ExtraTreeRegressor())]), "target", 2),
    "stacking": (
        ensemble.StackingRegressor([("a", Boosting)], final_estimator=ensemble.ExtraTreesRegressor(3), cv=2),
        "target",
        2,
    ),
    "target": (compose.TransformedTargetRegressor(Boosting, func=np.log, inverse_func=np.exp), "target", 1),
    "grid": (GridSearchCV(Forest, TREE, cv=2), "classes", 1),
    "random": (RandomizedSearchCV(Forest, TREE, n_iter=1, cv=2), "classes", 1),
    "halving": (HalvingGridSearchCV(Forest, TREE, cv=2, random_state=0), "classes", 1),
    "several outputs": (multioutput.MultiOutputRegressor(Boosting, n_jobs=2), "both", 2),
    "one against the rest": (OneVsRestClassifier(HGC(max_iter=2)), "classes", 4),
    "bagging": (ensemble.BaggingRegressor(n_estimators=3), "target", 3),
    "adaptive boosting": (ensemble.AdaBoostClassifier(n_estimators=3, random_state=0), "classes", 3),
    "own class": (Doubled(), "classes", 1),
}


@pytest.mark.parametrize("name", HOLDERS)
def test_trees_in_a_holder_are_taken_with_the_same_bits(name: str, data: Data) -> None:
    holder, target, count = HOLDERS[name]
    wanted = np.c_[data.target, data.target**2] if target == "both" else getattr(data, target)
    model = clone(holder).fit(data.cells, wanted)
    fast = rowcast.accelerate(model)
    notes = trees.explain(model)
    assert [note.taken for note in notes] == [True] * count, notes
    for note in notes:
        plain, taken = (eval(note.path, {"model": one}) for one in (model, fast))
        assert isinstance(taken, FastCopy), note
        assert not isinstance(plain, FastCopy)
        assert isinstance(taken, type(plain))
    assert type(fast) is type(model)
    assert trees.differences(model, fast, data.cells[:200]) == []
    assert trees.explain(fast) == notes
    assert not isinstance(eval(notes[0].path, {"model": model}), FastCopy)


def test_an_estimator_in_two_places_is_replaced_by_one(data: Data) -> None:
    forest = clone(Forest).fit(data.cells, data.classes)
    model = ensemble.VotingClassifier([("a", FrozenEstimator(forest)), ("b", FrozenEstimator(forest))])
    fast = rowcast.accelerate(model.fit(data.cells, data.classes))
    taken = [one.estimator for one in fast.estimators_]
    assert isinstance(taken[0], FastEstimator)
    assert taken[0] is taken[1]
    assert fast.named_estimators_["a"] is fast.estimators_[0]


def test_what_holds_neither_trees_nor_encoders_is_returned_itself(data: Data) -> None:
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression())
    model.fit(data.cells, data.classes)
    assert rowcast.accelerate(model) is model
    (note,) = trees.explain(model)
    assert (note.path, note.taken, note.reason) == ("model", False, "It holds neither trees nor encoders.")


def test_an_object_that_holds_itself_is_no_endless_way(data: Data) -> None:
    model = Doubled().fit(data.cells, data.classes)
    model.itself_ = model
    assert [note.taken for note in trees.explain(model)] == [True]


def test_a_forest_in_an_object_that_only_predicts_is_taken(data: Data) -> None:
    class Wrapper:
        def __init__(self) -> None:
            self.inner = clone(Forest).fit(data.cells, data.classes)

        def predict(self, rows: Any) -> Any:
            return self.inner.predict(rows)

    model = Wrapper()
    fast = rowcast.accelerate(model)
    assert isinstance(fast.inner, FastEstimator)
    assert not isinstance(model.inner, FastEstimator)
    assert trees.differences(model, fast, data.cells) == []


class OwnForest(ensemble.RandomForestRegressor):
    """A subclass, which may predict in another way."""


def test_the_reason_why_an_estimator_is_left_as_it_is(data: Data) -> None:
    reasons = {
        "XGBoost adds up": xgboost.XGBRegressor(n_estimators=2),
        "LightGBM adds up": lightgbm.LGBMRegressor(n_estimators=2, verbose=-1),
        "subclass of RandomForestRegressor": OwnForest(3),
        "more than 256 leaves": HGR(max_iter=1, max_leaf_nodes=None, min_samples_leaf=1),
        "several outputs": tree.DecisionTreeRegressor(),
    }
    for reason, model in reasons.items():
        wanted = np.c_[data.target, data.target] if reason == "several outputs" else data.target
        model.fit(data.cells, wanted)
        (note,) = trees.explain(model)
        assert reason in note.reason, note
        assert not note.taken
        assert rowcast.accelerate(model) is model
    (note,) = trees.explain(Forest)
    assert note.reason == "It is not fitted."
    assert str(note) == "model: RandomForestClassifier: It is not fitted."
