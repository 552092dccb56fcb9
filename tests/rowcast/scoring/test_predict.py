"""Values as cells and as JSON, and rows that make an estimator raise."""

import json
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loaded_models import loaded, numbers

from rowcast.errors import ModelRefused
from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.predict import Values, Wanted, added_cells, predict, predict_good, predict_rows


class Picky:
    """Predicts the first feature, refuses negative ones, and counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def predict(self, table: Any) -> Any:
        self.calls += 1
        if (table[:, 0] < 0).any():
            raise ValueError("a negative\n  number")
        return table[:, 0]


class Answering:
    """Returns the same answer whatever it is asked."""

    def __init__(self, answer: Any, shares: Any = None) -> None:
        self.predict = lambda table: answer
        self.predict_proba = lambda table: shares


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


def cells(predictions: Any, classes: Any = None, shares: Any = None, delimiter: str = ",") -> list[bytes]:
    return added_cells(loaded(None, numbers("a"), classes), Values(np.asarray(predictions), shares), delimiter)


@given(st.lists(st.floats(), max_size=20))
def test_floats_are_written_as_python_writes_them(values: list[float]) -> None:
    assert cells(np.array(values, float)) == [repr(value).encode() for value in values]


@given(st.lists(st.floats(width=32), max_size=20))
def test_narrow_floats_are_as_short_as_their_width_allows(values: list[float]) -> None:
    narrow = np.array(values, np.float32)
    written = cells(narrow)
    assert np.array_equal(np.array([np.float32(cell.decode()) for cell in written], np.float32), narrow, equal_nan=True)
    assert cells(np.array([0.1, 1e-7], np.float32)) == [b"0.1", b"1e-07"]


@pytest.mark.parametrize(
    ("values", "classes", "written"),
    [
        (np.array([3, -1]), [3, -1], [b"3", b"-1"]),
        (np.array([2**63 - 1]), None, [b"9223372036854775807"]),
        (np.array([True, False]), [False, True], [b"True", b"False"]),
        (np.array(["a,b", 'c"', "é", " d"]), ["x"], [b'"a,b"', b'"c"""', "é".encode(), b'" d"']),
        (np.array(["a,b", ""], dtype=object), ["x"], [b'"a,b"', b""]),
        (np.array([1.0, 2.5]), [1.0, 2.5], [b"1.0", b"2.5"]),
    ],
)
def test_labels_are_written_as_python_writes_them(values: Any, classes: Any, written: list[bytes]) -> None:
    assert cells(values, classes) == written


def test_probabilities_follow_the_prediction() -> None:
    shares = np.array([[0.25, 0.75], [1.0, 0.0]])
    assert cells(np.array(["a", "b"]), ["a", "b"], shares, ";") == [b"a;0.25;0.75", b"b;1.0;0.0"]


def test_single_rows_answer_in_plain_json(models: Mapping[str, LoadedModel], training: pd.DataFrame) -> None:
    for name in ("logistic", "labels", "truth"):
        model = models[name]
        answers = predict_rows(model, training.to_numpy().tolist(), Wanted(True))
        assert json.loads(json.dumps(answers, allow_nan=False)) == answers
        assert [answer["prediction"] for answer in answers] == model.estimator.predict(training).tolist()
        shares = [list(answer["probabilities"].values()) for answer in answers]
        assert shares == model.estimator.predict_proba(training).tolist()
        assert list(answers[0]["probabilities"]) == [str(label) for label in model.manifest.classes]


def test_a_single_row_that_raises_leaves_the_others_alone(models: Mapping[str, LoadedModel]) -> None:
    answers = predict_rows(models["strict"], [[0.5, "Aix"], [0.5, "Atlantis"], [1, "Bonn"]], Wanted())
    assert isinstance(answers[0], dict)
    assert "Atlantis" in answers[1]
    assert isinstance(answers[2], dict)


def test_a_prediction_that_json_cannot_write_is_null_and_says_so() -> None:
    model = loaded(Answering(np.array([math.nan, math.inf, 1.5])), numbers("a"))
    assert predict_rows(model, [[1], [2], [3]], Wanted()) == [
        {"prediction": None, "warning": "the prediction is not a number (NaN)"},
        {"prediction": None, "warning": "the prediction is infinite"},
        {"prediction": 1.5},
    ]
    narrow = loaded(Answering(np.array([0.1], np.float32)), numbers("a"))
    assert predict_rows(narrow, [[1]], Wanted()) == [{"prediction": 0.1}]
    several = loaded(Answering(np.array([[1.5, math.inf, math.nan]])), numbers("a"), outputs=["x", "y", "z"])
    assert predict_rows(several, [[1]], Wanted()) == [
        {
            "prediction": [1.5, None, None],
            "warning": "the prediction of 'y' is infinite; the prediction of 'z' is not a number (NaN)",
        }
    ]


def test_formulas_are_guarded_where_that_is_asked_for() -> None:
    labels = ["=1+1", "+x", "-x", "@a", "a=b", "'q"]
    values = Values(np.array(labels, dtype=object), None)
    model = loaded(None, numbers("a"), labels)
    assert added_cells(model, values, ",") == [label.encode() for label in labels]
    guarded = [b"'=1+1", b"'+x", b"'-x", b"'@a", b"a=b", b"'q"]
    assert added_cells(model, values, ",", guard_formulas=True) == guarded
    minus = Values(np.array([-1, 2]), None)
    assert added_cells(loaded(None, numbers("a"), [-1, 2]), minus, ",", guard_formulas=True) == [b"-1", b"2"]
