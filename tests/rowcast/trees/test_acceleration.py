"""`rowcast.accelerate`: the same bits, for every family, setting and kind of rows."""

import copy
import multiprocessing
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numba import int64
from numba.core import caching
from numpy.typing import NDArray
from random_trees import compared
from scipy.sparse import csr_matrix
from sklearn import ensemble, tree
from sklearn.base import clone

import rowcast
from rowcast import trees
from rowcast.compiling import compiled
from rowcast.trees.evaluation.node_walk import KEY_BYTES
from rowcast.trees.fast_estimators import tables_of

from .conftest import Data

HGC, HGR = ensemble.HistGradientBoostingClassifier, ensemble.HistGradientBoostingRegressor
GBC, GBR = ensemble.GradientBoostingClassifier, ensemble.GradientBoostingRegressor
FEW: dict[str, Any] = {"n_estimators": 7, "random_state": 0}

#: Estimator, what it is fitted on, and the column of `Data` that it predicts.
MODELS: dict[str, tuple[Any, str, str]] = {
    "boosting": (HGR(max_iter=12), "gaps", "target"),
    "boosting without gaps in training": (HGR(max_iter=12), "cells", "target"),
    "boosting, four classes": (HGC(max_iter=6), "gaps", "classes"),
    "boosting, one iteration": (HGR(max_iter=1), "gaps", "target"),
    "boosting, 255 leaves": (HGR(max_iter=3, max_leaf_nodes=255, min_samples_leaf=1), "cells", "target"),
    "boosting, monotonic": (HGR(max_iter=5, monotonic_cst=[1, -1, 0, 0, 0, 0]), "gaps", "target"),
    "boosting, categories": (HGR(max_iter=9, categorical_features=[5]), "gaps", "target"),
    **{f"boosting, {loss}": (HGR(loss=loss, max_iter=4), "gaps", "target") for loss in ("poisson", "gamma")},
    "boosting, quantile": (HGR(loss="quantile", quantile=0.9, max_iter=4), "gaps", "target"),
    "boosting, absolute error": (HGR(loss="absolute_error", max_iter=4), "gaps", "target"),
    "forest, four classes": (ensemble.RandomForestClassifier(**FEW), "gaps", "classes"),
    "forest": (ensemble.RandomForestRegressor(**FEW), "gaps", "target"),
    "forest without gaps in training": (ensemble.RandomForestRegressor(**FEW), "cells", "target"),
    "shallow forest": (ensemble.RandomForestClassifier(max_depth=3, **FEW), "gaps", "classes"),
    "extra trees, classes": (ensemble.ExtraTreesClassifier(**FEW), "gaps", "classes"),
    "extra trees": (ensemble.ExtraTreesRegressor(**FEW), "cells", "target"),
    "tree, classes": (tree.DecisionTreeClassifier(max_depth=6), "gaps", "classes"),
    "tree": (tree.DecisionTreeRegressor(), "gaps", "target"),
    "extra tree, classes": (tree.ExtraTreeClassifier(), "cells", "classes"),
    "extra tree": (tree.ExtraTreeRegressor(), "cells", "target"),
    "classic boosting, classes": (GBC(n_estimators=5), "cells", "classes"),
    "classic boosting": (GBR(n_estimators=9, subsample=0.5), "cells", "target"),
    "classic boosting, deep": (GBR(n_estimators=3, max_depth=9), "cells", "target"),
    "classic boosting from zero": (GBR(n_estimators=3, init="zero", loss="huber"), "cells", "target"),
    "isolation forest": (ensemble.IsolationForest(contamination=0.1, **FEW), "gaps", "target"),
    "isolation forest, some columns": (ensemble.IsolationForest(max_features=0.5, **FEW), "cells", "target"),
}


def fitted(name: str, data: Data) -> Any:
    estimator, cells, target = MODELS[name]
    return clone(estimator).fit(getattr(data, cells), getattr(data, target))


def bits(outcome: Any) -> Any:
    if isinstance(outcome, list):
        return [bits(one) for one in outcome]
    return outcome.dtype, outcome.shape, outcome.tobytes()


def require_same_bits(model: Any, fast: Any, rows: Any) -> None:
    for method in compared(model):
        with np.errstate(all="ignore"):
            assert bits(getattr(model, method)(rows)) == bits(getattr(fast, method)(rows)), method


def is_fast(estimator: Any) -> bool:
    return any("rowcast" in kind.__module__ for kind in type(estimator).__mro__)


@pytest.mark.parametrize("name", MODELS)
def test_the_bits_are_scikit_learns(name: str, data: Data) -> None:
    model = fitted(name, data)
    fast = rowcast.accelerate(model)
    assert is_fast(fast), trees.explain(model)
    assert isinstance(fast, type(model))
    rows = trees.edge_rows(model, data.gaps if MODELS[name][1] == "gaps" else data.cells, 1500, seed=3)
    for several in (rows, np.asfortranarray(rows), rows[::2], rows[:1], rows[:9], rows[:513]):
        require_same_bits(model, fast, several)
    single = np.clip(rows, -3e38, 3e38).astype(np.float32)
    require_same_bits(model, fast, single)
    assert trees.differences(model, fast, data.cells[:50]) == []


def test_a_frame_with_categories_and_gaps_has_the_same_bits(data: Data) -> None:
    model = HGC(max_iter=8, categorical_features="from_dtype").fit(data.frame, data.classes)
    fast = rowcast.accelerate(model)
    assert is_fast(fast)
    require_same_bits(model, fast, data.frame)
    unknown = data.frame.assign(kind=pd.Categorical(["v", "other"] * 450))
    require_same_bits(model, fast, unknown)
    assert trees.differences(model, fast, data.frame[:100]) == []


def test_a_forest_with_several_outputs_has_the_same_bits(data: Data) -> None:
    numbers = np.c_[data.target, -data.target]
    codes = np.c_[data.target > 1, np.digitize(data.target, [0.5, 1, 2])]
    for model, wanted in ((ensemble.RandomForestRegressor(5), numbers), (ensemble.ExtraTreesClassifier(5), codes)):
        model.fit(data.cells, wanted)
        fast = rowcast.accelerate(model)
        assert is_fast(fast)
        require_same_bits(model, fast, data.gaps)


def test_one_class_and_weights_and_a_constant_target(data: Data) -> None:
    weights = np.linspace(0, 2, 900)
    one_class = np.full(900, "only")
    for model, wanted in (
        (ensemble.RandomForestClassifier(3), one_class),
        (tree.DecisionTreeClassifier(), one_class),
        (HGR(max_iter=3), np.full(900, 2.5)),
        (HGR(max_iter=3), data.target),
        (ensemble.RandomForestRegressor(3), data.target),
        (GBR(n_estimators=3), np.full(900, -0.0)),
        (tree.DecisionTreeRegressor(), np.full(900, -0.0)),
    ):
        model.fit(data.cells, wanted, sample_weight=weights)
        fast = rowcast.accelerate(model)
        assert is_fast(fast), model
        require_same_bits(model, fast, data.cells)


@pytest.mark.parametrize("features", [1, 600, 5000])
def test_the_number_of_columns_does_not_matter(features: int) -> None:
    random = np.random.default_rng(0)
    cells = random.standard_normal((60, features))
    for model in (
        HGR(max_iter=2, min_samples_leaf=2), ensemble.ExtraTreesRegressor(10, max_features=0.1, random_state=0),
        ensemble.IsolationForest(**FEW), GBR(n_estimators=2),
    ):  # fmt: skip
        model.fit(cells, random.standard_normal(60))
        fast = rowcast.accelerate(model)
        assert is_fast(fast), model
        require_same_bits(model, fast, random.standard_normal((300, features)))


def test_the_keys_of_a_block_are_bounded() -> None:
    random = np.random.default_rng(0)
    for features in (3, 5000):
        cells = random.standard_normal((60, features))
        forest = ensemble.ExtraTreesRegressor(60, max_features=0.1, random_state=0)  # it asks for as many columns
        fast = rowcast.accelerate(forest.fit(cells, cells[:, 0]))
        tables: Any = tables_of(fast)
        assert tables.block_rows * 2 * len(tables.features) * 4 <= KEY_BYTES
        assert tables.table_bytes < 2 << 20


def test_errors_are_scikit_learns(data: Data) -> None:
    for name in ("forest", "boosting", "tree", "classic boosting", "isolation forest"):
        model = fitted(name, data)
        fast = rowcast.accelerate(model)
        infinite = data.cells.copy()
        infinite[3, 2] = np.inf
        for rows in (infinite, data.cells[:, :4], data.cells[:, :0], data.cells[:0], [["text"] * 6], data.cells[0]):
            outcomes = []
            for one in (model, fast):
                try:
                    outcomes.append(bits(one.predict(rows)))
                except ValueError as error:
                    outcomes.append(str(error))
            assert outcomes[0] == outcomes[1]


def test_names_of_columns_are_still_checked(data: Data) -> None:
    frame = pd.DataFrame(data.cells, columns=list("abcdef"))
    fast = rowcast.accelerate(ensemble.RandomForestRegressor(3).fit(frame, data.target))
    with pytest.raises(ValueError, match="feature names"):
        fast.predict(frame[list("fedcba")])


def test_what_was_not_compared_goes_to_scikit_learn(data: Data) -> None:
    model = fitted("forest without gaps in training", data)
    require_same_bits(model, rowcast.accelerate(model), csr_matrix(data.cells))


def test_an_estimator_that_is_fitted_again_predicts_by_its_new_trees(data: Data) -> None:
    for name in MODELS:
        fast = rowcast.accelerate(fitted(name, data))
        if name == "boosting, categories":
            continue
        fast.fit(-data.cells, data.classes if hasattr(fast, "classes_") else data.target[::-1])
        again = pickle.loads(pickle.dumps(fast))
        assert not is_fast(again)
        require_same_bits(again, fast, data.cells)
        fast = rowcast.accelerate(fast)
        assert fast.current_trees()
        require_same_bits(again, fast, data.cells)


def test_a_warm_start_and_a_changed_rate_are_noticed(data: Data) -> None:
    for model in (HGR(max_iter=3, warm_start=True), GBR(n_estimators=3, warm_start=True)):
        fast = rowcast.accelerate(model.fit(data.cells, data.target))
        before = fast.predict(data.cells)
        more = {"max_iter": 6} if isinstance(model, HGR) else {"n_estimators": 6}
        fast.set_params(**more).fit(data.cells, data.target)
        assert (fast.predict(data.cells) != before).any()
        require_same_bits(pickle.loads(pickle.dumps(fast)), fast, data.cells)  # the pickle is scikit-learn's own class
    model = GBR(n_estimators=3).fit(data.cells, data.target)
    fast = rowcast.accelerate(model)
    for one in (model, fast):
        one.learning_rate = 0.3
    require_same_bits(model, fast, data.cells)


def test_stages_are_scikit_learns(data: Data) -> None:
    for name in ("boosting", "classic boosting"):
        model = fitted(name, data)
        stages = zip(
            model.staged_predict(data.cells), rowcast.accelerate(model).staged_predict(data.cells), strict=True
        )
        assert all(bits(one) == bits(other) for one, other in stages)


def test_the_given_model_is_not_changed(data: Data) -> None:
    model = fitted("forest", data)
    before = dict(vars(model))
    fast = rowcast.accelerate(model)
    assert vars(model) == before
    assert not is_fast(model)
    assert fast.estimators_ is model.estimators_
    assert repr(fast) == repr(model)
    assert rowcast.accelerate(fast) is fast


def test_copies_clones_and_pickles_are_plain_estimators(data: Data) -> None:
    model = fitted("boosting", data)
    fast = rowcast.accelerate(model)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(fast, protocol))
        assert type(again) is type(model)
        require_same_bits(model, again, data.gaps)
    assert b"rowcast" not in pickle.dumps(fast)
    assert type(clone(fast)) is type(copy.copy(fast)) is type(copy.deepcopy(fast)) is type(model)
    assert clone(fast).get_params() == model.get_params()


def test_a_forest_with_several_threads_has_the_bits_of_one(data: Data) -> None:
    model = ensemble.RandomForestRegressor(30, n_jobs=2, random_state=0).fit(data.cells, data.target)
    fast = rowcast.accelerate(model)
    alone = clone(model).set_params(n_jobs=1).fit(data.cells, data.target)
    assert bits(fast.predict(data.cells)) == bits(alone.predict(data.cells))
    assert trees.differences(model, fast, data.cells) == []


def test_two_threads_predict_at_once_and_a_forked_process_too(data: Data) -> None:
    names = ("boosting", "forest")
    models = [fitted(name, data) for name in names]
    fast = [rowcast.accelerate(model) for model in models]
    rows = np.tile(data.gaps, (20, 1))
    wanted = [bits(model.predict(rows)) for model in models]
    together = Barrier(2)

    def predict(_: int) -> Any:
        together.wait()
        return [bits(one.predict(rows)) for one in fast for _ in range(3)]

    with ThreadPoolExecutor(2) as pool:
        for found in pool.map(predict, range(2)):
            assert found == [wanted[0]] * 3 + [wanted[1]] * 3
    ours, theirs = multiprocessing.get_context("fork").Pipe()
    child = multiprocessing.get_context("fork").Process(
        target=lambda: theirs.send([bits(one.predict(rows)) for one in fast])
    )
    child.start()
    assert ours.recv() == wanted
    child.join()


def test_a_missing_library_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("numba", "sklearn"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, name, None)
            with pytest.raises(ImportError, match=rf"needs {name}.*rowcast\[fast\]"):
                rowcast.accelerate(object())


def test_without_a_folder_for_the_cache_functions_are_compiled_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some users can write neither next to the installed modules nor into a home folder."""
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])

    def next_one(number: int) -> int:
        return number + 1

    assert compiled(int64(int64))(next_one)(2) == 3


def integers(rows: NDArray[Any]) -> NDArray[np.int64]:
    return np.nan_to_num(rows).astype(np.int64)


def test_rows_of_whole_numbers_and_lists_have_the_same_bits(data: Data) -> None:
    for name in ("forest", "boosting", "tree"):
        model = fitted(name, data)
        fast = rowcast.accelerate(model)
        require_same_bits(model, fast, integers(data.gaps))
        require_same_bits(model, fast, integers(data.gaps).tolist())
