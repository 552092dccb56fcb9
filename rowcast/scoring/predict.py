"""Predicting: a table in, values out, as arrays, as cells of a CSV, or as JSON."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.errors import ModelRefused, RowcastError
from rowcast.jobs.cells import csv_cell, label_text
from rowcast.scoring.table import Table, table_of_values

if TYPE_CHECKING:
    from rowcast.models.load import LoadedModel

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_MESSAGE_CHARACTERS = 300


@dataclass(frozen=True)
class Values:
    """Predictions, shape (rows,), and probabilities, shape (rows, classes), where they were asked for."""

    predictions: NDArray[Any]
    probabilities: NDArray[Any] | None


@dataclass(frozen=True)
class Outcome:
    """The values of the table's rows `good`, in order, and why each other row raises."""

    values: Values
    good: NDArray[np.int64]
    faults: dict[int, str]


class SearchAborted(RowcastError):
    """The search was given up; `rows` are the fatal ones that it found, as indexes until `numbered` names them."""

    def __init__(self, why: str, rows: Sequence[int]) -> None:
        named = f", after these rows: {', '.join(map(str, rows))}" if rows else ""
        super().__init__(f"looking for the rows that end or hold up the process was given up {why}{named}")
        self.why, self.rows = why, rows

    def numbered(self, numbers: Callable[[int], int]) -> "SearchAborted":
        """The same with the rows' own numbers."""
        return SearchAborted(self.why, [numbers(row) for row in self.rows])


def takes_names(model: "LoadedModel") -> bool:
    """Whether the estimator was fitted with a DataFrame and wants one; an array is some 0.3 ms cheaper."""
    return hasattr(model.estimator, "feature_names_in_")


def predict(model: "LoadedModel", table: Table, probabilities: bool) -> Values:
    """One call of `predict`, and one of `predict_proba` where probabilities are asked for.

    Raises:
        ModelRefused: the model does not give one value a row, or not one probability a class.
        Exception: whatever the estimator raises.
    """
    estimator, rows = model.estimator, len(table)
    predictions = np.asarray(estimator.predict(table))
    if predictions.shape == (rows, 1):
        predictions = predictions.ravel()
    _require(model, "predict", predictions, (rows,))
    if not probabilities:
        return Values(predictions, None)
    if not hasattr(estimator, "predict_proba"):
        raise ModelRefused(f"The model {model.manifest.name}@{model.manifest.version} gives no probabilities.")
    shares = np.asarray(estimator.predict_proba(table))
    _require(model, "predict_proba", shares, (rows, len(model.manifest.classes or [])))
    return Values(predictions, shares)


def predict_good(model: "LoadedModel", table: Table, probabilities: bool) -> Outcome:
    """Predicts all rows that can be predicted, in one call; those that make the estimator raise are found by halving.

    Raises:
        MemoryError, RowcastError: as they come; they are no row's fault.
        Exception: the estimator raises for rows together of which none makes it raise alone.
    """
    rows = len(table)
    if not rows:
        return Outcome(no_values(model, probabilities), np.arange(0), {})
    try:
        return Outcome(predict(model, table, probabilities), np.arange(rows), {})
    except (MemoryError, RowcastError):
        raise
    except Exception as error:
        faults = {0: one_line(error)} if rows == 1 else _raising(model, table, probabilities, 0, rows)
        if not faults:
            raise
    good = np.setdiff1d(np.arange(rows), np.array(list(faults)), assume_unique=True)
    rest = predict_good(model, rows_of(table, good), probabilities)
    if rest.faults:
        raise RuntimeError(f"a row raises beside others, but not alone: {next(iter(rest.faults.values()))}")
    return Outcome(rest.values, good, faults)


def no_values(model: "LoadedModel", probabilities: bool) -> Values:
    """The values of no rows, for which no estimator need be asked."""
    return Values(np.empty(0), np.empty((0, len(model.manifest.classes or []))) if probabilities else None)


Predict = Callable[["LoadedModel", Table, bool], Outcome]
"""`predict_good`, or what gives the same in another way."""


def predict_values(model: "LoadedModel", table: Table, probabilities: bool) -> list[dict[str, Any]]:
    """`{"prediction": v}` for each row, and `"probabilities": {"LABEL": share}` if asked for, ready for JSON.

    A prediction that JSON cannot write is None, and has a `warning`.
    """
    return _documents(model, predict(model, table, probabilities))


def predict_rows(
    model: "LoadedModel",
    rows: Sequence[Sequence[object]],
    probabilities: bool,
    predict: Predict = predict_good,
) -> list[dict[str, Any] | str]:
    """Predicts rows of checked JSON values in one call: for each a document as above, or why it cannot be predicted."""
    table = table_of_values(rows, model.manifest, named=takes_names(model))
    outcome = predict(model, table, probabilities)
    answers: dict[int, dict[str, Any] | str] = dict(outcome.faults)
    answers |= zip(outcome.good.tolist(), _documents(model, outcome.values), strict=True)
    return [answers[row] for row in range(len(rows))]


def added_cells(model: "LoadedModel", values: Values, delimiter: str, *, guard_formulas: bool = False) -> list[bytes]:
    """The cells that a result adds to each row: the prediction and the probabilities, joined by the delimiter.

    `guard_formulas`: text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    is_few = model.manifest.task == "classification"
    columns = [_cells(values.predictions, delimiter, few=is_few, guard_formulas=guard_formulas)]
    if values.probabilities is not None:
        columns += [_cells(share, delimiter, few=False) for share in values.probabilities.T]
    if len(columns) == 1:
        return columns[0]
    return list(map(delimiter.encode().join, zip(*columns, strict=True)))


def counts(values: NDArray[Any]) -> dict[str, int]:
    """How often each label came, by its text."""
    codes, labels = pd.factorize(values, use_na_sentinel=False)
    texts = [label_text(label) for label in _scalars(np.asarray(labels))]
    return dict(zip(texts, np.bincount(codes, minlength=len(texts)).tolist(), strict=True))


def _raising(model: "LoadedModel", table: Table, probabilities: bool, start: int, stop: int) -> dict[int, str]:
    """The rows from `start` to before `stop` that raise, by halving what raises."""
    try:
        predict(model, rows_of(table, slice(start, stop)), probabilities)
    except (MemoryError, RowcastError):
        raise
    except Exception as error:
        if stop - start == 1:
            return {start: one_line(error)}
        middle = (start + stop) // 2
        return _raising(model, table, probabilities, start, middle) | _raising(
            model, table, probabilities, middle, stop
        )
    return {}


def rows_of(table: Table, which: slice | NDArray[np.int64]) -> Table:
    """Some rows of a table, as a table."""
    return table.iloc[which] if isinstance(table, pd.DataFrame) else table[which]


def _require(model: "LoadedModel", method: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ModelRefused(
            f"{method} of the model {model.manifest.name}@{model.manifest.version} gives an array of the shape "
            f"{values.shape}, and its manifest promises {shape}."
        )


def _cells(values: NDArray[Any], delimiter: str, *, few: bool, guard_formulas: bool = False) -> list[bytes]:
    """Each value as a field. `few`: there are few different ones, so that each is written once."""
    if few or values.dtype.kind not in "iuf":
        codes, labels = pd.factorize(values, use_na_sentinel=False)
        texts = map(_guarded if guard_formulas else label_text, _scalars(np.asarray(labels)))
        written = [csv_cell(text, delimiter) for text in texts]
        return [written[code] for code in codes.tolist()]
    # A list writes its numbers as `repr` does each, the shortest form that reads back the same, but in one go.
    return repr(_scalars(values))[1:-1].encode().split(b", ") if len(values) else []


def _guarded(label: object) -> str:
    """A text that begins like a formula (OWASP, "CSV Injection") with an apostrophe; numbers are never touched."""
    text = label_text(label)
    return f"'{text}" if isinstance(label, str) and text.startswith(_FORMULA_STARTS) else text


def _scalars(values: NDArray[Any]) -> list[Any]:
    """As Python's own; a narrow float as the shortest one that reads back as that narrow float."""
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        return [float(str(value)) for value in values]
    return list(values.tolist())


def _documents(model: "LoadedModel", values: Values) -> list[dict[str, Any]]:
    documents = [_document(value) for value in _scalars(values.predictions)]
    if values.probabilities is not None:
        labels = [label_text(label) for label in model.manifest.classes or []]
        by_class = [map(_json, _scalars(shares)) for shares in values.probabilities.T]
        for document, shares in zip(documents, zip(*by_class, strict=True), strict=True):
            document["probabilities"] = dict(zip(labels, shares, strict=True))
    return documents


def _document(value: Any) -> dict[str, Any]:
    document = {"prediction": _json(value)}
    if isinstance(value, float) and not math.isfinite(value):
        kind = "not a number (NaN)" if math.isnan(value) else "infinite" if value > 0 else "negative infinity"
        document["warning"] = f"the prediction is {kind}"
    return document


def _json(value: Any) -> Any:
    """JSON knows no NaN and no infinity, and of objects only those that it can write."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def one_line(error: Exception) -> str:
    """What an exception says, as the message of a bad row."""
    return " ".join(str(error).split())[:_MESSAGE_CHARACTERS] or type(error).__name__
