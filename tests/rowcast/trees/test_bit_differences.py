"""Negative controls: `differences` finds a single changed leaf, another rounding and another way of missing cells."""

import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from sklearn import ensemble
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import rowcast
from rowcast import trees
from rowcast.trees.evaluation import node_walk
from rowcast.trees.evaluation.node_walk import build_node_walk
from rowcast.trees.families import family_of
from rowcast.trees.fast_estimators import fast_copy, tables_of

from .conftest import Data


def boosting(data: Data) -> Any:
    return ensemble.HistGradientBoostingRegressor(max_iter=10).fit(data.gaps, data.target)


def forest(data: Data) -> Any:
    return ensemble.RandomForestClassifier(8, max_depth=6, random_state=0).fit(data.gaps, data.classes)


def test_a_leaf_that_is_changed_in_its_last_bits_is_found(data: Data) -> None:
    model = boosting(data)
    fast = rowcast.accelerate(model)
    leaves = tables_of(fast).leaf_values
    leaves[np.abs(leaves).argmax()] *= 1 + 2**-48  # a smaller change is lost in the sum
    found = trees.differences(model, fast, data.gaps[:300])
    assert any("sums of the trees" in sentence for sentence in found)
    model = forest(data)
    fast = rowcast.accelerate(model)
    values = tables_of(fast).values
    values[-1, 0] += 2**-45
    assert trees.differences(model, fast, data.gaps)


def test_a_threshold_that_is_rounded_to_nearest_is_found(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    model = forest(data)
    family = family_of(model)
    assert family is not None
    monkeypatch.setattr(node_walk, "rounded_down", lambda thresholds: thresholds.astype(np.float32))
    inexact = fast_copy(model, family.mixin, build_node_walk(family.read(model)), 4)
    found = trees.differences(model, inexact, data.gaps[:50])
    assert any("predict_proba on rows at thresholds" in sentence and "rows differ" in sentence for sentence in found)
    (note,) = trees.explain(model)
    assert "differ from scikit-learn's in" in note.reason
    assert rowcast.accelerate(model) is model


def test_missing_cells_that_go_the_other_way_are_found(data: Data) -> None:
    for model in (boosting(data), forest(data)):
        fast = rowcast.accelerate(model)
        tables: Any = tables_of(fast)
        if hasattr(tables, "node_column"):
            tables.node_column[:] %= len(tables.features)
        else:
            tables.missing_offset[:] = 0
            vars(tables).pop("nodes_for_missing", None)
        assert trees.differences(model, fast, data.cells[:50])


def test_a_difference_behind_other_steps_is_found(data: Data) -> None:
    model = make_pipeline(StandardScaler(), boosting(data)).fit(data.gaps, data.target)
    fast = rowcast.accelerate(model)
    tables: Any = tables_of(fast.steps[1][1])
    tables.node_code[0] += 1
    found = trees.differences(model, fast, data.gaps[:20])
    assert any(sentence.startswith("model.steps[1][1].predict on rows at thresholds: ") for sentence in found)


def test_an_error_that_only_one_raises_is_found(data: Data) -> None:
    model = forest(data)
    fast = rowcast.accelerate(model)
    fast.n_features_in_ = 5
    assert any("predict on fewer columns: error" in sentence for sentence in trees.differences(model, fast, data.gaps))


def test_edge_rows_are_at_thresholds_and_the_same_for_the_same_seed(data: Data) -> None:
    model = forest(data)
    rows = trees.edge_rows(model, data.gaps, 400, seed=1)
    assert rows.shape == (400, 6)
    np.testing.assert_array_equal(rows, trees.edge_rows(model, data.gaps, 400, seed=1))
    assert not np.array_equal(rows, trees.edge_rows(model, data.gaps, 400, seed=2), equal_nan=True)
    thresholds = np.concatenate([one.tree_.threshold[one.tree_.feature == 0] for one in model.estimators_])
    cells = rows[:, 0]
    assert np.isin(cells, thresholds).sum() > 20
    assert np.isin(cells, np.nextafter(thresholds, 1e9)).sum() > 5
    assert np.isnan(cells).any()
    assert (np.signbit(cells) & (cells == 0)).any()
    assert (np.abs(cells) > 1e30).any()
    assert not np.isinf(rows).any(), "forests refuse infinity"
    assert np.isinf(trees.edge_rows(boosting(data), data.gaps, 400, seed=1)).any()


def test_edge_rows_of_a_frame_keep_names_and_texts(data: Data) -> None:
    frame = data.frame
    model = ensemble.HistGradientBoostingRegressor(categorical_features="from_dtype").fit(frame, data.target)
    rows = trees.edge_rows(model, frame, 300, seed=0)
    assert rows.columns.tolist() == frame.columns.tolist()
    assert rows["kind"].dtype == frame["kind"].dtype
    assert set(rows["kind"]) == set("vwxyz")


def test_rows_without_missing_cells_are_made_for_estimators_that_refuse_them(data: Data) -> None:
    model = ensemble.GradientBoostingRegressor(n_estimators=3).fit(data.cells, data.target)
    assert not np.isnan(trees.edge_rows(model, data.gaps, 300, seed=0)).any()


def test_the_package_needs_numba_only_when_it_is_used() -> None:
    script = "import sys, rowcast; rowcast.accelerate; print({'numba', 'numpy', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
