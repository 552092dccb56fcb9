from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loaded_models import loaded, numbers

from rowcast.jobs.options import Options
from rowcast.jobs.results.result_columns import added_columns
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_set import ModelSet
from rowcast.scoring.predict import Values
from rowcast.scoring.predicted_cells import added_cells


def written(model: LoadedModel, values: Values, delimiter: str = ",", **options: Any) -> list[bytes]:
    columns = added_columns(
        Options(probabilities=values.probabilities is not None, **options), ModelSet((model.manifest,))
    )
    guard = options.get("guard_formulas", False)
    return added_cells([model], [values], columns, delimiter, guard_formulas=guard)


def cells(predictions: Any, classes: Any = None, shares: Any = None, delimiter: str = ",") -> list[bytes]:
    return written(loaded(None, numbers("a"), classes), Values(np.asarray(predictions), shares), delimiter)


@given(st.lists(st.floats(), max_size=20))
def test_floats_are_written_as_python_writes_them(values: list[float]) -> None:
    assert cells(np.array(values, float)) == [repr(value).encode() for value in values]


@given(st.lists(st.floats(width=32), max_size=20))
def test_narrow_floats_are_as_short_as_their_width_allows(values: list[float]) -> None:
    narrow = np.array(values, np.float32)
    found = cells(narrow)
    assert np.array_equal(np.array([np.float32(cell.decode()) for cell in found], np.float32), narrow, equal_nan=True)
    assert cells(np.array([0.1, 1e-7], np.float32)) == [b"0.1", b"1e-07"]


@pytest.mark.parametrize(
    ("values", "classes", "expected"),
    [
        (np.array([3, -1]), [3, -1], [b"3", b"-1"]),
        (np.array([2**63 - 1]), None, [b"9223372036854775807"]),
        (np.array([True, False]), [False, True], [b"True", b"False"]),
        (np.array(["a,b", 'c"', "é", " d"]), ["x"], [b'"a,b"', b'"c"""', "é".encode(), b'" d"']),
        (np.array(["a,b", ""], dtype=object), ["x"], [b'"a,b"', b""]),
        (np.array([1.0, 2.5]), [1.0, 2.5], [b"1.0", b"2.5"]),
    ],
)
def test_labels_are_written_as_python_writes_them(values: Any, classes: Any, expected: list[bytes]) -> None:
    assert cells(values, classes) == expected


def test_probabilities_follow_the_prediction() -> None:
    shares = np.array([[0.25, 0.75], [1.0, 0.0]])
    assert cells(np.array(["a", "b"]), ["a", "b"], shares, ";") == [b"a;0.25;0.75", b"b;1.0;0.0"]


def test_formulas_are_guarded_where_that_is_asked_for() -> None:
    labels = ["=1+1", "+x", "-x", "@a", "a=b", "'q"]
    values = Values(np.array(labels, dtype=object), None)
    model = loaded(None, numbers("a"), labels)
    assert written(model, values) == [label.encode() for label in labels]
    guarded = [b"'=1+1", b"'+x", b"'-x", b"'@a", b"a=b", b"'q"]
    assert written(model, values, guard_formulas=True) == guarded
    minus = Values(np.array([-1, 2]), None)
    assert written(loaded(None, numbers("a"), [-1, 2]), minus, guard_formulas=True) == [b"-1", b"2"]
