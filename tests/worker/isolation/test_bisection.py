from collections.abc import Callable

import numpy as np
import pytest

from rowcast.scoring.predict import SearchAborted, Values
from worker.isolation.bisection import Fatal, search


def blocks(most: int, fatal: frozenset[int] = frozenset()) -> Callable[[np.ndarray], Values]:
    """Returns a call that survives at most `most` rows and no fatal one; `.sizes` are the sizes that it survived."""

    def call(which: np.ndarray) -> Values:
        if len(which) > most or fatal & set(which.tolist()):
            raise Fatal("it died")
        call.sizes.append(len(which))  # type: ignore[attr-defined]
        return Values(which * 10, np.stack([which, -which], axis=1))

    call.sizes = []  # type: ignore[attr-defined]
    return call


def test_rows_that_are_fatal_only_together_are_predicted_in_whole_blocks() -> None:
    call = blocks(most=300)
    outcome = search(call, 1000, 60)
    assert not outcome.faults
    assert outcome.values.predictions.tolist() == [row * 10 for row in range(1000)]
    assert outcome.values.probabilities is not None
    assert outcome.values.probabilities.shape == (1000, 2)
    assert call.sizes[1:] == [256, 256, 256, 232]  # type: ignore[attr-defined]


def test_good_rows_come_from_one_call_if_possible_and_else_from_several() -> None:
    for most, last in ((1000, 998), (998, 998), (500, 1)):
        call = blocks(most, frozenset({0, 999}))
        outcome = search(call, 1000, 60)
        assert outcome.faults == {0: "it died", 999: "it died"}
        assert outcome.values.predictions.tolist() == [row * 10 for row in range(1, 999)]
        assert call.sizes[-1] == last  # type: ignore[attr-defined]


def test_a_search_that_takes_too_long_is_aborted() -> None:
    with pytest.raises(SearchAborted, match="when it had taken 0 s"):
        search(blocks(most=1), 100, 0)


def test_rows_that_raise_only_together_raise() -> None:
    def call(which: np.ndarray) -> Values:
        if len(which) > 1:
            raise ValueError("one at a time")
        return Values(which, None)

    with pytest.raises(ValueError, match="one at a time"):
        search(call, 20, 60)
