"""Random ensembles of all families predict the same bits after `accelerate`: by hypothesis, and for minutes."""

import os
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_trees import compared, random_estimator, rows_at_thresholds
from threadpoolctl import threadpool_limits

import rowcast
from rowcast import trees

WANTED_PREDICTIONS = 100_000_000
"""Predictions that were compared before the first release; `SOAK_MINUTES=60 make soak` does it again."""


def require_same_bits(seed: int, rows: int) -> int:
    """Compares one random ensemble on some rows. Returns the number of compared predictions."""
    random = np.random.default_rng(seed)
    estimator, cells = random_estimator(random)
    fast = rowcast.accelerate(estimator)
    (note,) = trees.explain(estimator)
    assert note.taken or "several outputs" in note.reason, (seed, estimator, note)
    made = rows_at_thresholds(random, estimator, cells, rows)
    for name in compared(estimator):
        with np.errstate(all="ignore"):  # scikit-learn adds up huge cells when it looks for infinity
            wanted, found = getattr(estimator, name)(made), getattr(fast, name)(made)
        for one, other in zip(wanted, found, strict=True) if isinstance(wanted, list) else [(wanted, found)]:
            same = one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
            assert same, f"seed {seed}: {name} of {estimator} differs"
    return rows


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1 << 32), rows=st.sampled_from([1, 2, 7, 8, 9, 511, 512, 513, 1025]))
def test_a_random_ensemble_has_the_same_bits(seed: int, rows: int) -> None:
    require_same_bits(seed, rows)


@pytest.mark.soak
@pytest.mark.timeout(0)
def test_a_hundred_million_predictions_have_the_same_bits() -> None:
    """Runs for `SOAK_MINUTES` (3); `SOAK_SEED` (0) is where it goes on. Prints how far it came."""
    first = int(os.environ.get("SOAK_SEED", "0"))
    end = time.monotonic() + 60 * float(os.environ.get("SOAK_MINUTES", "3"))
    done, seed = 0, first
    while time.monotonic() < end and done < WANTED_PREDICTIONS:
        with threadpool_limits(1):  # threads of OpenMP wait for each other on a busy machine
            done += require_same_bits(seed, 100_000)
        seed += 1
    print(
        f"\n{done:,} predictions of {seed - first:,} random ensembles have the same bits (seeds {first} to {seed - 1})"
    )
