from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression

from rowcast.models.model_manifest import Feature
from training.rehearsal.checks.whole_numbers import bounded
from training.rehearsal.users_script import Script
from training.sample.sample import Dialect

ROWS = 30


class Computed:
    """Predicts what a function makes of the columns, and counts its calls."""

    def __init__(self, function: Callable[[pd.DataFrame], Any]) -> None:
        self.function, self.calls = function, 0

    def predict(self, frame: pd.DataFrame) -> Any:
        self.calls += 1
        return np.asarray(self.function(frame), dtype="float64")


def limits(model: Any, frame: pd.DataFrame) -> dict[str, int | None]:
    features = [Feature(name=name, kind="number", missing=True) for name in frame.columns]
    found = bounded(Script(model, tuple(frame.columns), Dialect()), frame, features)
    return {one.name: one.largest for one in found}


def columns(**greatest: int) -> pd.DataFrame:
    """Returns columns with whole numbers from 1 to the greatest one."""
    numbers = {name: np.linspace(1, last, ROWS).astype("int64") for name, last in greatest.items()}
    return pd.DataFrame(numbers)


def refusing(frame: pd.DataFrame) -> Any:
    if frame["known"].max() > 100:
        raise ValueError("unseen value")
    return frame["a"] * frame["b"] > 0


def cubes(frame: pd.DataFrame) -> Any:
    powers = frame["a"] ** 7
    if not np.isfinite(powers.astype("float32")).all():
        raise ValueError("infinity")
    return powers > 0


def test_a_product_limits_both_factors_and_no_other_column() -> None:
    frame = columns(a=10, b=10, c=10)
    model = Computed(lambda table: (table["a"] * table["b"] > 50) + 2 * (table["c"] > 5))
    assert limits(model, frame) == {"a": 2**31 - 1, "b": 2**31 - 1, "c": None}


def test_a_factor_that_is_large_in_the_sample_limits_the_other_one() -> None:
    model = Computed(lambda table: table["a"] * table["b"] > 50)
    assert limits(model, columns(a=10, b=2**40 - 1)) == {"a": 2**23 - 1, "b": 2**40 - 1}


@pytest.mark.parametrize("gap", [False, True])
def test_the_limit_is_the_lowest_number_with_a_difference(gap: bool) -> None:
    """The model returns the same for both forms again from 2^62 on."""
    frame = columns(a=900)
    model = Computed(lambda table: np.where(table["a"].abs() >= 2**62, 0, table["a"] % 10))
    assert limits(model, frame.assign(a=frame["a"].where(frame.index != 3)) if gap else frame) == {"a": 2**53 - 1}


def test_a_script_that_fails_for_large_numbers_hides_no_difference() -> None:
    assert limits(Computed(refusing), columns(known=9, a=9, b=9)) == {
        "known": None,
        "a": 2**31 - 1,
        "b": 2**31 - 1,
    }
    assert limits(Computed(cubes), columns(a=9)) == {"a": 2**9 - 1}


def test_thousands_of_columns_need_a_few_probes() -> None:
    frame = columns(**{f"c{number}": 50 for number in range(2000)})
    regression = LinearRegression().fit(np.c_[frame, frame.sum(axis=1)], frame["c0"])
    model = Computed(lambda table: regression.predict(np.c_[table, table.to_numpy().sum(axis=1)]))
    assert None not in limits(model, frame).values()
    assert model.calls < 120


def test_a_model_without_a_difference_has_no_limit() -> None:
    assert limits(Computed(lambda table: table["a"] > 5), columns(a=9)) == {"a": None}
