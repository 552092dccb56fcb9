"""Encoders that transform each distinct cell once: the same output as scikit-learn's, in every bit, and its errors."""

import os
import pickle
import time
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_columns import random_frame, random_transformer
from sklearn import config_context
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
)

import rowcast
from rowcast import trees
from rowcast.trees.comparison.outcome import difference, outcome
from rowcast.trees.distinct import fast_transformers
from rowcast.trees.distinct.fast_transformers import by_distinct_cells
from rowcast.trees.fast_copies import FastCopy, addition_of


def require_same_output(model: Any, fast: Any, rows: Any, seed: object = "") -> None:
    """Compares output or error: with unknown cells, with known ones, and for few rows."""
    for some in (rows, rows, rows.iloc[:3], rows.iloc[:1]):
        found = list(difference("transform", outcome(model.transform, some), outcome(fast.transform, some), order=True))
        assert not found, (seed, model, found)


def compare_random_transformer(seed: int) -> int:
    """Compares a random column transformer on random rows. Returns how many fast transformers it has."""
    random = np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        training, model = random_frame(random, 300, 5), random_transformer(random)
        try:
            model.fit(training, training["n"] % int(random.integers(2, 4)))
        except (ValueError, TypeError):  # such as missing cells before a step that refuses them
            return 0
        fast = rowcast.accelerate(model)
        for known in (5, 5, int(random.integers(3, 10))):
            require_same_output(model, fast, random_frame(random, int(random.choice([70, 400])), known), seed)
        return sum(note.taken for note in trees.explain(fast))


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1 << 32))
def test_a_random_column_transformer_has_the_same_output(seed: int) -> None:
    compare_random_transformer(seed)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_thousands_of_random_column_transformers_have_the_same_output() -> None:
    """Runs for `SOAK_MINUTES` (3); `SOAK_SEED` (0) is where it goes on. Prints how far it came."""
    first = seed = int(os.environ.get("SOAK_SEED", "0"))
    end, taken = time.monotonic() + 60 * float(os.environ.get("SOAK_MINUTES", "3")), 0
    while time.monotonic() < end:
        taken += compare_random_transformer(seed)
        seed += 1
    assert taken > (seed - first) / 2
    print(f"\n{seed - first:,} random column transformers with {taken:,} fast ones (seeds {first} to {seed - 1})")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return random_frame(np.random.default_rng(1), 400, 5).assign(late=lambda frame: frame["n"] % 2)


def encoded(encoder: Any, rows: pd.DataFrame) -> Any:
    """Returns a fitted model of the columns of text and a number."""
    columns = make_column_transformer((encoder, ["a", "b"]), (StandardScaler(), ["y"]))
    return make_pipeline(columns, LogisticRegression()).fit(rows, rows["late"])


def encoder_in(model: Any) -> Any:
    return model.steps[0][1].transformers_[0][1]


def test_scikit_learn_transforms_only_cells_that_it_has_not_seen(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = rowcast.accelerate(encoded(OneHotEncoder(handle_unknown="ignore"), rows))
    seen = []
    own = OneHotEncoder.transform
    monkeypatch.setattr(OneHotEncoder, "transform", lambda self, X: (seen.append(len(X)), own(self, X))[1])
    fast.predict(rows)
    fast.predict_proba(rows)
    fast.predict(rows.iloc[:1])
    assert len(seen) == 1
    assert seen[0] <= 12
    fast.predict(rows.assign(a=["never seen", *rows["a"][1:]]))
    assert seen[1:] == [1]


def test_a_model_of_text_has_the_same_bits(rows: pd.DataFrame) -> None:
    model = encoded(OneHotEncoder(handle_unknown="ignore", sparse_output=False), rows)
    fast = rowcast.accelerate(model)
    (note,) = trees.explain(model)
    assert str(note) == "model.steps[0][1].transformers_[0][1]: OneHotEncoder: exact fast path"
    assert trees.differences(model, fast, rows) == []
    assert fast.predict_proba(rows).tobytes() == model.predict_proba(rows).tobytes()


def test_the_reason_why_an_encoder_is_left_as_it_is(rows: pd.DataFrame) -> None:
    reasons = {
        "A function may do anything": make_pipeline(FunctionTransformer(np.asarray), OrdinalEncoder()),
        "`copy=False`": make_pipeline(OrdinalEncoder(), StandardScaler(copy=False)),
        "ordinal bins": KBinsDiscretizer(2, encode="ordinal", quantile_method="linear"),
        "return frames": OrdinalEncoder().set_output(transform="pandas"),
    }
    for reason, encoder in reasons.items():
        columns = ["y"] if "bins" in reason else ["a"]
        model = make_pipeline(encoder).fit(rows[columns].fillna("") if columns == ["a"] else rows[columns])
        (note,) = trees.explain(model)
        assert not note.taken
        assert reason in note.reason
        assert rowcast.accelerate(model) is model


def test_a_changed_output_cell_is_found(rows: pd.DataFrame) -> None:
    model = encoded(OrdinalEncoder(), rows)
    fast = rowcast.accelerate(model)
    fast.predict(rows)
    addition_of(encoder_in(fast))._known[0].cells[0, 0] = np.nextafter(0, 1)
    found = trees.differences(model, fast, rows)
    assert any(
        sentence.startswith("model.steps[0][1].transformers_[0][1].transform on its own cells") for sentence in found
    )


def test_warnings_are_repeated(rows: pd.DataFrame) -> None:
    fast = rowcast.accelerate(encoded(OneHotEncoder(handle_unknown="warn"), rows))
    unknown = rows.assign(a="never seen")
    for _ in range(2):
        with pytest.warns(UserWarning, match="Found unknown categories"):
            fast.predict(unknown)


def test_an_encoder_that_was_fitted_again_or_changed_has_its_new_output(rows: pd.DataFrame) -> None:
    text = rows[["a", "b"]].fillna("")
    fast = rowcast.accelerate(OneHotEncoder(sparse_output=False).fit(text))
    fast.transform(text)
    fast.fit(text[::-1].replace("red", "rose"))
    again = text.replace("red", "rose")
    require_same_output(OneHotEncoder(sparse_output=False).fit(again), fast, again)
    fast.set_params(sparse_output=True)
    require_same_output(OneHotEncoder().fit(again), fast, again)


def test_copies_clones_and_pickles_are_plain(rows: pd.DataFrame) -> None:
    model = make_pipeline(OrdinalEncoder(), StandardScaler()).fit(rows[["kind"]])
    fast = rowcast.accelerate(model)
    assert isinstance(fast, FastCopy)
    assert type(pickle.loads(pickle.dumps(fast))) is Pipeline
    assert type(clone(fast)) is Pipeline


def test_frames_are_returned_if_they_are_asked_for_later(rows: pd.DataFrame) -> None:
    model = OrdinalEncoder().fit(rows[["kind"]])
    fast = rowcast.accelerate(model)
    fast.transform(rows[["kind"]])
    with config_context(transform_output="pandas"):
        pd.testing.assert_frame_equal(fast.transform(rows[["kind"]]), model.transform(rows[["kind"]]))
    with pytest.raises(ValueError, match="feature names should match"):
        fast.transform(rows[["a"]])


def test_what_is_known_is_dropped_when_it_becomes_large(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    fast = rowcast.accelerate(OrdinalEncoder().fit(rows[["kind", "n"]]))
    fast.transform(rows[["kind", "n"]])
    assert addition_of(fast)._known
    monkeypatch.setattr(fast_transformers, "KEPT_BYTES", 100)
    fast.transform(rows[["kind", "n"]])
    assert not addition_of(fast)._known


def test_cells_that_cannot_be_told_apart_are_left_to_scikit_learn(rows: pd.DataFrame) -> None:
    fast = rowcast.accelerate(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(rows[["a"]]))
    mixed = pd.DataFrame({"a": pd.Series(["red", None, np.nan] * 100, dtype="object")})
    for cells in (mixed, mixed.assign(a=1j), mixed.assign(a=True), pd.DataFrame({"a": map(str, range(300))})):
        assert by_distinct_cells(fast, cells) is None
