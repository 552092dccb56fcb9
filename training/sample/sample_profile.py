"""The profile of a sample: its rows, counted into bins that are chosen from them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.models.drift.profile import LEAST_ROWS, MAX_FEATURES, MOST_VALUES, Bins, NumberBins, Profile, ValueBins
from rowcast.models.model_manifest import Draft, Feature
from rowcast.scoring.cell_types import Column
from rowcast.scoring.drift.bin_counter import NUMBER_KINDS, BinCounter, as_numbers, counted_texts, outputs_of

_BINS = 10


def profile_of(draft: Draft, columns: Sequence[Column], predictions: NDArray[Any]) -> Profile | None:
    """Returns the profile of rows that the service has read and predicted; None if there are too few.

    `columns` are those of the table, in the order of the draft's `table_features`.
    """
    if len(predictions) < LEAST_ROWS:
        return None
    features = [
        _bins(feature, column) for feature, column in zip(draft.table_features[:MAX_FEATURES], columns, strict=False)
    ]
    found = [
        _number_bins(name, values) if draft.task == "regression" else _value_bins(name, values)
        for name, values in zip(_names(draft), outputs_of(predictions), strict=False)
    ]
    return _counted(Profile(rows=len(predictions), features=features, predictions=found), columns, predictions)


def _names(draft: Draft) -> list[str]:
    return ["prediction"] if draft.outputs is None else [f"prediction_{name}" for name in draft.outputs]


def _bins(feature: Feature, column: Column) -> Bins:
    if feature.kind in NUMBER_KINDS:
        return _number_bins(feature.name, as_numbers(column), is_date=feature.kind == "date")
    return _value_bins(feature.name, column)


def _number_bins(name: str, values: Any, *, is_date: bool = False) -> NumberBins:
    """Returns bins that end at the deciles; fewer if several deciles are equal."""
    numbers = as_numbers(values)
    finite = numbers[np.isfinite(numbers)]
    low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
    shares = np.arange(1, _BINS) / _BINS
    deciles: list[float] = np.quantile(finite, shares, method="inverted_cdf").tolist() if len(finite) else []
    cuts = sorted({cut for cut in deciles if cut < high})
    if low == high:  # any other number is then in a separate bin
        cuts = [float(np.nextafter(low, -np.inf)), low]
    return NumberBins(name=name, is_date=is_date, low=low, high=high, cuts=cuts, counts=[0] * len(cuts), missing=0)


def _value_bins(name: str, column: Column) -> ValueBins:
    """Returns a bin for each of the most frequent values."""
    texts, counts, _ = counted_texts(column)
    frequent = sorted(zip(texts, counts, strict=True), key=lambda pair: (-pair[1], pair[0]))[:MOST_VALUES]
    others = sum(counts) - sum(count for _, count in frequent)
    counted = [count for _, count in frequent]
    return ValueBins(name=name, values=[text for text, _ in frequent], counts=[*counted, others], missing=0)


def _counted(bins: Profile, columns: Sequence[Column], predictions: NDArray[Any]) -> Profile:
    """Returns the profile with the counts of the sample, counted as those of a batch are."""
    counter = BinCounter(bins)
    counts = [*counter.of_features(columns), *counter.of_predictions(predictions)]
    filled = [
        one.model_copy(update={"counts": found[:-2].tolist(), "missing": int(found[-2])})
        for one, found in zip(bins.columns, counts, strict=True)
    ]
    features = len(bins.features)
    return Profile(rows=bins.rows, features=filled[:features], predictions=filled[features:])
