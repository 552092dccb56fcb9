"""Counting values into the bins of a profile: numbers by compiled code if a program has loaded it, else by numpy."""

import sys
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.csv.write import label_text
from rowcast.jobs.summary import MAX_OUTPUTS
from rowcast.models.drift.profile import Bins, NumberBins, Profile, ValueBins
from rowcast.models.model_manifest import Kind
from rowcast.scoring.cell_types import Column

NUMBER_KINDS: tuple[Kind, ...] = ("number", "integer", "date")
"""The kinds of features whose values are counted into bins of numbers."""

_KERNELS = "rowcast.scoring.drift.bin_kernels"

PACKED = np.dtype("<u4")
"""The type of a count as it is sent to Redis. The script adds them as `I4`."""


class BinCounter:
    """Counts the rows of chunks into the bins of one profile.

    The counts of a column are those of each bin, then missing values, then unseen ones, which are in a bin, too.
    """

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self._features = [_Counter.of(bins) for bins in profile.features]
        self._predictions = [_Counter.of(bins) for bins in profile.predictions]
        #: The counts of the outputs if no prediction is counted.
        self.no_predictions = [np.zeros(len(bins.counts) + 2, np.int64) for bins in profile.predictions]

    def of_features(self, columns: Sequence[Column]) -> list[NDArray[np.int64]]:
        """Returns the counts of each feature of the profile. `columns` are those of the model's table, in its order."""
        return [counter.count(column) for counter, column in zip(self._features, columns, strict=False)]

    def of_predictions(self, predictions: NDArray[Any]) -> list[NDArray[np.int64]]:
        """Returns the counts of each output. `predictions` has the shape (rows,) or (rows, outputs)."""
        return [
            counter.count(output) for counter, output in zip(self._predictions, outputs_of(predictions), strict=True)
        ]


def outputs_of(predictions: NDArray[Any]) -> list[NDArray[Any]]:
    """Returns what a profile has of predictions: each output, at most `MAX_OUTPUTS`."""
    return [predictions] if predictions.ndim == 1 else list(predictions.T[:MAX_OUTPUTS])


def packed(counts: Sequence[NDArray[np.int64]]) -> bytes:
    """Returns counts as they are sent to Redis."""
    return np.concatenate(counts).astype(PACKED).tobytes()


class _Counter:
    """Counts the values of one column."""

    @staticmethod
    def of(bins: Bins) -> "_Counter":
        return _NumberCounter(bins) if isinstance(bins, NumberBins) else _ValueCounter(bins)

    def count(self, column: Column) -> NDArray[np.int64]:
        """Returns the counts of each bin, of missing values and of unseen ones."""
        raise NotImplementedError


class _NumberCounter(_Counter):
    """Counts by comparing all numbers with each end of a bin, which is faster than searching each number's bin."""

    def __init__(self, bins: NumberBins) -> None:
        below = float(np.nextafter(bins.low, -np.inf))
        self._ends = np.array([below, *bins.cuts, bins.high])

    def count(self, column: Column) -> NDArray[np.int64]:
        values = as_numbers(column)
        from_low, *above, beyond, missing = _count_above(values, self._ends).tolist()
        present = len(values) - missing
        in_bins = [more - fewer for more, fewer in pairwise([present, *above, 0])]
        return np.array([*in_bins, missing, present - from_low + beyond], np.int64)


class _ValueCounter(_Counter):
    """Counts by the different values, of which there are few."""

    def __init__(self, bins: ValueBins) -> None:
        self._places = {value: place for place, value in enumerate(bins.values)}
        self._size = len(bins.values) + 3
        self._knows_unseen = bins.knows_unseen

    def count(self, column: Column) -> NDArray[np.int64]:
        texts, counts, missing = counted_texts(column)
        found = np.zeros(self._size, np.int64)
        other = self._size - 3
        for text, count in zip(texts, counts, strict=True):
            found[self._places.get(text, other)] += count
        found[other + 1] = missing
        found[other + 2] = found[other] if self._knows_unseen else 0
        return found


def load() -> None:
    """Compiles the function, or loads it from numba's cache. From then on, this process counts numbers with it.

    Raises:
        ImportError: numba is not installed.
    """
    import rowcast.scoring.drift.bin_kernels  # noqa: F401 - importing compiles


def _count_above(values: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """Returns how many numbers are above each end, and last how many are NaN."""
    kernels = sys.modules.get(_KERNELS)
    if kernels is not None:
        found: NDArray[np.int64] = kernels.count_above(np.ascontiguousarray(values), ends)
        return found
    return np.array([*(np.count_nonzero(values > end) for end in ends), np.count_nonzero(np.isnan(values))])


def as_numbers(column: Column) -> NDArray[np.float64]:
    """Returns numbers, or dates in microseconds since 1970, as floats; missing ones are NaN."""
    if isinstance(column, np.ndarray) and column.dtype == np.float64:
        return column
    if isinstance(column, np.ndarray) and column.dtype.kind in "iufb":
        return column.astype(np.float64)
    if isinstance(getattr(column, "dtype", None), pd.DatetimeTZDtype) or _kind_of(column) == "M":
        dates = pd.DatetimeIndex(column).as_unit("us")
        microseconds = dates.asi8.astype(np.float64)
        microseconds[dates.isna()] = np.nan
        return microseconds
    return pd.Series(column).to_numpy("float64", na_value=np.nan)


def counted_texts(column: Column) -> tuple[list[str], list[int], int]:
    """Returns the different values of a column as texts, how often each came, and how many are missing."""
    codes, different = pd.factorize(column)
    counts = np.bincount(codes + 1, minlength=len(different) + 1).tolist()
    return [label_text(value) for value in np.asarray(different).tolist()], counts[1:], counts[0]


def _kind_of(column: Column) -> str:
    return str(getattr(getattr(column, "dtype", None), "kind", ""))
