"""Why all rows of a chunk are bad, in words that help to find what is wrong with the whole file."""

from typing import Any

import numpy as np
import pytest
from loaded_models import loaded, numbers
from sklearn.dummy import DummyRegressor

from rowcast.jobs.options import Options
from rowcast.scoring.failure_reason import Reason
from rowcast.scoring.score_chunk import ChunkSpec, score


class Refusing(DummyRegressor):
    """Takes no row."""

    def predict(self, table: Any) -> Any:
        raise ValueError("too old")


FITTED = DummyRegressor().fit(np.zeros((2, 2)), [1.0, 2.0])


def reason_of(rows: bytes, estimator: Any = FITTED, **options: Any) -> Reason | None:
    spec = ChunkSpec(("age", "class"), b"\n", Options(**{"delimiter": ","} | options))
    return score(rows, 1, loaded(estimator, numbers("age", "class")), spec).reason


@pytest.mark.parametrize(
    ("rows", "message", "example"),
    [
        (b"25,3,\n26,1,\n", "has one field more than the header: a trailing delimiter?", ""),
        (b"25,3,\r\n26,1,", "has one field more than the header: a trailing delimiter?", ""),
        (b"25,3,x\n26,1,\n", "has 3 fields, the header has 2", ""),
        (b"25;3\n26;1\n", "has 1 field, the header has 2: is the delimiter another one?", ""),
        (b"12.5,old\n7,older\n", "has a bad cell in column 'class': not a number", "old"),
        (b"x,3\n26,old\n27,older\n", "has a bad cell in column 'class': not a number", "old"),
    ],
)
def test_the_most_frequent_fault_is_named(rows: bytes, message: str, example: str) -> None:
    reason = reason_of(rows)
    assert reason is not None
    assert (reason.message, reason.example) == (message, example)


def test_without_a_header_the_model_says_how_many_fields_there_are() -> None:
    reason = reason_of(b"25,3,\n", header=False)
    assert reason == Reason("has one field more than the model has features: a trailing delimiter?", "", 1)


def test_rows_that_the_model_refuses_say_what_it_says() -> None:
    estimator = Refusing().fit(np.zeros((2, 2)), [1.0, 2.0])
    assert reason_of(b"25,3\n26,1\n", estimator) == Reason("cannot be predicted: too old", "", 2)


def test_one_good_row_needs_no_reason() -> None:
    assert reason_of(b"25,3\nold,3\n") is None
