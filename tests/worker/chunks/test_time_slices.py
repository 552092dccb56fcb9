"""Predicting a chunk in slices returns the same values as in one call."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from loaded_models import loaded, numbers
from sklearn.linear_model import LinearRegression

from rowcast.models.model_manifest import ExplanationFacts
from rowcast.scoring.predict import Predicted, Wanted, predict_good
from worker.chunks.time_slices import STEP_ROWS, TimeSlices, rows_per_slice


class Labels:
    """Predicts `few` or `many` from the first feature, with probabilities. Raises for negatives. Notes each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def predict(self, table: Any) -> Any:
        self.calls.append(len(table))
        if (table[:, 0] < 0).any():
            raise ValueError("negative")
        return np.where(table[:, 0] > 500, "many", "few")

    def predict_proba(self, table: Any) -> Any:
        return np.column_stack([table[:, 0] / 5000, 1 - table[:, 0] / 5000])


def same(one: Predicted, other: Predicted) -> bool:
    mine, theirs = one.values, other.values
    return (
        one.faults == other.faults
        and np.array_equal(one.good, other.good)
        and np.array_equal(mine.predictions, theirs.predictions)
        and mine.predictions.dtype.kind == theirs.predictions.dtype.kind
        and np.array_equal(mine.probabilities, theirs.probabilities)  # type: ignore[arg-type]  # None is equal to None
    )


@pytest.mark.parametrize("wanted", [Wanted(), Wanted(probabilities=True)])
@pytest.mark.parametrize("bad", [(), (0,), (255, 256, 1300), tuple(range(256))])
def test_slices_return_the_same_values_as_one_call(
    monkeypatch: pytest.MonkeyPatch, bad: tuple[int, ...], wanted: Wanted
) -> None:
    model = loaded(Labels(), numbers("x"), ["few", "many"])
    monkeypatch.setattr("worker.chunks.time_slices.rows_per_slice", lambda seconds: 256)
    table = np.array([[-1.0 if row in bad else float(row)] for row in range(1_500)])
    looks: list[None] = []
    sliced = TimeSlices(lambda: looks.append(None)).predict_good(model, table, wanted)
    assert same(sliced, predict_good(model, table, wanted))
    assert len(looks) == 1 + 6, "before each slice, and after the last"


def test_a_chunk_without_rows_is_one_slice() -> None:
    model = loaded(Labels(), numbers("x"), ["few", "many"])
    table = np.empty((0, 1))
    assert same(
        TimeSlices(lambda: None).predict_good(model, table, Wanted(True)), predict_good(model, table, Wanted(True))
    )


def test_a_fast_model_is_called_once_when_its_speed_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.chunks.time_slices.perf_counter", lambda: 0.0)
    estimator = Labels()
    model = loaded(estimator, numbers("x"), ["few", "many"])
    table = np.array([[float(row)] for row in range(5_000)])
    slices = TimeSlices(lambda: None)
    slices.predict_good(model, table, Wanted())
    first = estimator.calls.copy()
    slices.predict_good(model, table, Wanted())
    assert first[0] < len(table)
    assert estimator.calls[len(first) :] == [len(table)]


@pytest.mark.parametrize("row_seconds", [None, 1e-12, 1e-5, 0.003, 0.1, 60])
def test_slices_have_a_multiple_of_64_rows(row_seconds: float | None) -> None:
    rows = rows_per_slice(row_seconds)
    assert rows >= STEP_ROWS
    assert rows % STEP_ROWS == 0


def test_a_slice_of_a_frame_is_numbered_as_a_chunk_is() -> None:
    seen: list[list[int]] = []

    class Numbered(Labels):
        def predict(self, table: Any) -> Any:
            seen.append([table.index[0], table.index[-1]])
            return super().predict(table.to_numpy())

    model = loaded(Numbered(), numbers("x"), ["few", "many"])
    TimeSlices(lambda: None).predict_good(model, pd.DataFrame({"x": np.arange(300.0)}), Wanted())
    assert seen == [[0, 255], [0, 43]]


def test_the_speed_of_predicting_says_nothing_about_explaining(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.chunks.time_slices.perf_counter", lambda: 0.0)
    model = loaded(LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0]), numbers("x"))
    facts = ExplanationFacts(family="linear", means=[[0.5]])
    model = replace(model, manifest=model.manifest.model_copy(update={"explanations": facts}))
    looks: list[None] = []
    slices, table = TimeSlices(lambda: looks.append(None)), np.zeros((600, 1))
    for wanted, calls in ((Wanted(), 2), (Wanted(explain=1), 2), (Wanted(explain=1), 1)):
        looks.clear()
        found = slices.predict_good(model, table, wanted)
        assert (len(found.good), len(looks)) == (600, calls + 1)
