"""The raw score of a row that its explanation is of, and how exactly it is known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DOUBLE_TOLERANCE = 1e-9
"""For sums of 64-bit floats."""

SINGLE_TOLERANCE = 1e-4
"""For sums of 32-bit floats, as XGBoost's."""


def explained_scores(raw: Any) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns for each row the score that is explained, and its place among the model's.

    That is the only score, or with several classes that of the class with the highest one, which is predicted.
    """
    scores = np.asarray(raw, np.float64)
    scores = scores.reshape(len(scores), -1)
    which = scores.argmax(axis=1) if scores.shape[1] > 1 else np.zeros(len(scores), np.int64)
    return scores[np.arange(len(scores)), which], which.astype(np.int64)


def tolerance_of(raw: Any) -> float:
    """Returns how far a sum may be from a raw score of this type, as a share of the summands' sizes."""
    return DOUBLE_TOLERANCE if np.asarray(raw).dtype.itemsize >= 8 else SINGLE_TOLERANCE
