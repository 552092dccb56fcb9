"""What each model made of the rows of a chunk, and what the models made of them together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.csv import scan
from rowcast.csv.write import label_text
from rowcast.errors import ModelRefused
from rowcast.models.model_set import labels_of
from rowcast.scoring.predict import Predict, SearchAborted, Values, Wanted, python_values
from rowcast.scoring.table import RowFault, Rows

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel


@dataclass(frozen=True)
class ModelRows:
    """The rows that one model could predict, and why it could not predict the others."""

    model: "LoadedModel"
    good: scan.Positions
    """Indexes of the rows with values, ascending."""
    values: Values
    faults: dict[int, RowFault]
    """One for each other row, by index."""


@dataclass(frozen=True)
class ScoredRows:
    """The rows that every model could predict. A row that one of two models cannot predict is bad for both."""

    good: scan.Positions
    """Indexes of the rows with values, ascending."""
    values: tuple[Values, ...]
    """Those of each model, for the same rows."""
    faults: list[RowFault]
    """One for each other row, in their order. With two models, the message names the one that cannot predict it."""


def predict_rows_of(model: "LoadedModel", rows: Rows, predict: Predict, wanted: Wanted, first_row: int) -> ModelRows:
    """Predicts the rows that a model could read. Raises as `predict`; row numbers count from `first_row`."""
    try:
        predicted = predict(model, rows.table, wanted)
    except SearchAborted as error:
        raise error.numbered(lambda index: first_row + int(rows.good[index])) from None
    faults = {fault.row: fault for fault in rows.faults}
    for index, message in predicted.faults.items():
        row = int(rows.good[index])
        faults[row] = RowFault(row, "", "", message)
    return ModelRows(model, rows.good[predicted.good], predicted.values, faults)


def together(models: Sequence[ModelRows]) -> ScoredRows:
    """Returns what one model or two made of the same rows."""
    if len(models) == 1:
        (one,) = models
        return ScoredRows(one.good, (one.values,), [one.faults[row] for row in sorted(one.faults)])
    first, second = models
    good = np.intersect1d(first.good, second.good, assume_unique=True)
    values = tuple(
        one.values if len(one.good) == len(good) else one.values.of_rows(np.isin(one.good, good)) for one in models
    )
    faults = _merged(models)
    return ScoredRows(good, values, [faults[row] for row in sorted(faults)])


def _merged(models: Sequence[ModelRows]) -> dict[int, RowFault]:
    """Returns one fault for each row. What only one model says names it, and the first model goes first."""
    found: dict[int, RowFault] = {}
    for one, label in zip(models, labels_of([each.model.manifest for each in models]), strict=True):
        others = [each.faults for each in models if each is not one]
        for row, fault in one.faults.items():
            is_common = all(faults.get(row) == fault for faults in others)
            found.setdefault(row, fault if is_common else replace(fault, message=f"{fault.message} (model {label})"))
    return found


class CountedRows(NamedTuple):
    """The rows of a chunk that its summary counts."""

    good: scan.Positions
    """Their indexes, ascending."""
    predictions: NDArray[Any]
    """What the job's first model predicted for them."""


def compared_rows(counted: CountedRows, other: ModelRows) -> tuple[int, int]:
    """Returns how many of these rows another model predicted as well, and for how many of them it differs.

    Raises:
        ModelRefused: the models have different numbers of outputs.
    """
    common, ours, theirs = np.intersect1d(counted.good, other.good, assume_unique=True, return_indices=True)
    if not len(common):
        return 0, 0
    differing = disagreeing(counted.predictions[ours], other.values.predictions[theirs])
    if differing is None:
        raise ModelRefused("the models have different numbers of outputs")
    return len(common), int(differing.sum())


def disagreeing(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Returns for each row whether two models' predictions differ, shape (rows,), or None if they cannot be compared.

    Numbers are the same if they are equal to the last bit, and NaN is the same as NaN. Other labels are the same if a
    result has the same text for them. Models with several outputs are compared output by output, in their order.
    """
    if one.shape != other.shape:
        return None
    if one.ndim == 1:
        return _differ(one, other)
    columns = [_differ(ours, theirs) for ours, theirs in zip(one.T, other.T, strict=True)]
    return np.logical_or.reduce(columns) if columns else np.zeros(len(one), np.bool_)


def _differ(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    if not len(one):
        return np.zeros(0, np.bool_)
    if one.dtype.kind in "iu" and other.dtype.kind in "iu":
        return np.asarray(one != other, np.bool_)
    if one.dtype.kind in "iuf" and other.dtype.kind in "iuf":
        return np.asarray(_bits(one) != _bits(other), np.bool_)
    return np.asarray(_texts(one) != _texts(other), np.bool_)


def _bits(numbers: NDArray[Any]) -> NDArray[np.uint64]:
    """Returns the bits of numbers as float64, with one NaN for all."""
    wide = np.array(numbers, np.float64)
    wide[np.isnan(wide)] = np.nan
    return wide.view(np.uint64)


def _texts(labels: NDArray[Any]) -> NDArray[Any]:
    """Returns the texts that a result has for labels."""
    codes, different = pd.factorize(labels, use_na_sentinel=False)
    texts = np.empty(len(different), "object")
    texts[:] = [label_text(label) for label in python_values(np.asarray(different))]
    found: NDArray[Any] = texts[codes]
    return found
