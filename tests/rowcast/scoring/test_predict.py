"""The shapes of predicted values, and rows that make an estimator raise."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loaded_models import Answering, loaded, numbers

from rowcast.errors import ModelRefused
from rowcast.scoring.predict import Wanted, predict, predict_good


class Picky:
    """Predicts the first feature, refuses negative ones, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, table: Any) -> Any:
        self.calls += 1
        if (table[:, 0] < 0).any():
            raise ValueError("a negative\n  number")
        return table[:, 0]


class Raising:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def predict(self, table: Any) -> Any:
        raise self.error


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_just_the_rows_that_raise_are_bad(bad: list[bool]) -> None:
    values = np.array([[-1.0 if flag else float(row)] for row, flag in enumerate(bad)])
    outcome = predict_good(loaded(Picky(), numbers("a")), values, Wanted())
    assert outcome.faults == {row: "a negative number" for row, flag in enumerate(bad) if flag}
    assert outcome.good.tolist() == [row for row, flag in enumerate(bad) if not flag]
    assert outcome.values.predictions.tolist() == [float(row) for row, flag in enumerate(bad) if not flag]


def test_one_call_is_enough_where_nothing_raises_and_few_are_where_one_row_does() -> None:
    model = loaded(Picky(), numbers("a"))
    table = np.arange(1000.0).reshape(-1, 1)
    predict_good(model, table, Wanted())
    assert model.estimator.calls == 1
    table[700] = -1
    assert list(predict_good(model, table, Wanted()).faults) == [700]
    assert model.estimator.calls < 30


def test_rows_beside_one_that_raises_keep_their_own_values() -> None:
    class Aligned:
        """A step that adds a new Series to the frame: pandas aligns the two by their index."""

        def predict(self, frame: pd.DataFrame) -> Any:
            if (frame["b"] == 0).any():
                raise ValueError("no ratio")
            return frame.assign(ratio=pd.Series((frame["a"] / frame["b"]).to_numpy()))["ratio"].to_numpy()

    frame = pd.DataFrame({"a": [1.0, 5, 6, 9, 8], "b": [4.0, 0, 2, 2, 2]})
    outcome = predict_good(loaded(Aligned(), numbers("a", "b")), frame, Wanted())
    assert list(outcome.faults) == [1]
    assert outcome.values.predictions.tolist() == [0.25, 3.0, 4.5, 4.0]


@pytest.mark.parametrize("error", [MemoryError("full"), ModelRefused("no")])
def test_what_is_no_rows_fault_goes_through(error: Exception) -> None:
    with pytest.raises(type(error)):
        predict_good(loaded(Raising(error), numbers("a")), np.zeros((5, 1)), Wanted())


def test_what_no_row_alone_is_to_blame_for_goes_through() -> None:
    class Crowded:
        def predict(self, table: Any) -> Any:
            if len(table) > 3:
                raise ValueError("too many at a time")
            return table[:, 0]

    with pytest.raises(ValueError, match="too many"):
        predict_good(loaded(Crowded(), numbers("a")), np.zeros((8, 1)), Wanted())


@pytest.mark.parametrize(
    ("answer", "shares"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2))),
        (np.zeros(3), np.zeros((2, 2))),
        (np.zeros(2), np.zeros((2, 3))),
        (np.zeros(2), [np.zeros((2, 2)), np.zeros((2, 2))]),
    ],
)
def test_a_model_that_breaks_its_promise_is_refused(answer: Any, shares: Any) -> None:
    with pytest.raises(ModelRefused, match="but its manifest says"):
        predict(loaded(Answering(answer, shares), numbers("a"), [0, 1]), np.zeros((2, 1)), Wanted(True))


def test_a_model_without_probabilities_says_so() -> None:
    model = loaded(SimpleNamespace(predict=lambda table: np.zeros(len(table))), numbers("a"), [0, 1])
    with pytest.raises(ModelRefused, match="has no `predict_proba`"):
        predict(model, np.zeros((2, 1)), Wanted(True))


def test_a_column_of_predictions_is_one_value_a_row() -> None:
    assert predict(loaded(Answering(np.zeros((2, 1))), numbers("a")), np.zeros((2, 1)), Wanted()).predictions.shape == (
        2,
    )
