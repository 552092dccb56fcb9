"""Pickles that hold the tables and not the trees."""

import pickle
from typing import Any

import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    AdaBoostClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.tree import DecisionTreeClassifier

from rowcast.trees import accelerate, explain
from rowcast.trees.table_pickling import pickled_tables, trees_left_out, unpickled_tables

FOREST = RandomForestClassifier(3, random_state=0)
MODELS = {
    "forest": (FOREST, 3),
    "extra trees": (ExtraTreesRegressor(3), 3),
    "isolation forest": (IsolationForest(n_estimators=3), 3),
    "tree": (DecisionTreeClassifier(), 1),
    "boosting": (HistGradientBoostingClassifier(max_iter=2), 0),
    "classic boosting": (GradientBoostingRegressor(n_estimators=2), 0),
    "in others": (CalibratedClassifierCV(VotingClassifier([("a", FOREST)], voting="soft"), cv=2), 6),
    "adaptive boosting": (AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=2), 2),
}


@pytest.mark.parametrize("name", MODELS)
def test_predictions_have_the_same_bits_without_the_trees(name: str, data: Any) -> None:
    model, left_out = MODELS[name]
    target = data.target if name in ("extra trees", "classic boosting") else data.classes
    fast = accelerate(clone(model).fit(data.cells, target))
    calls = []

    def read_trees() -> list[Any]:
        calls.append(1)
        return trees_left_out(fast)

    pickled, arrays = pickled_tables(fast)
    copy = unpickled_tables(pickled, [bytearray(array.raw()) for array in arrays], read_trees)
    method = next(method for method in ("predict_proba", "score_samples", "predict") if hasattr(fast, method))
    assert getattr(copy, method)(data.cells).tobytes() == getattr(fast, method)(data.cells).tobytes()
    assert [note.taken for note in explain(copy)] == [note.taken for note in explain(fast)]
    assert not calls
    assert len(trees_left_out(fast)) == left_out


def test_what_only_scikit_learn_can_do_reads_the_trees(data: Any) -> None:
    forest = clone(FOREST).fit(data.cells, data.classes)
    fast = accelerate(forest)
    pickled, arrays = pickled_tables(fast)
    copy = unpickled_tables(pickled, [bytearray(array.raw()) for array in arrays], lambda: trees_left_out(fast))
    rows = csr_matrix(data.cells.astype("float32"))
    assert copy.predict_proba(rows).tobytes() == forest.predict_proba(rows).tobytes()
    plain = pickle.loads(pickle.dumps(copy))
    assert type(plain) is RandomForestClassifier
    assert plain.predict_proba(data.cells).tobytes() == forest.predict_proba(data.cells).tobytes()
