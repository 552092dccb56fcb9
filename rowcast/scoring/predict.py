"""Predicting: a table in, values out, as arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import issparse

from rowcast.errors import ModelRefused, RowcastError
from rowcast.models.loading.pickle_errors import why_unreadable
from rowcast.models.model_manifest import Manifest
from rowcast.scoring.explaining.explanations import Explanations, Inexplicable
from rowcast.scoring.table import Table
from rowcast.wording.exception_text import one_line

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel


class Wanted(NamedTuple):
    """The values that are wanted from a model in addition to its predictions, and what decides these."""

    probabilities: bool = False
    scores: bool = False
    threshold: float | None = None
    """The probability of the second of two classes from which it is predicted. None: the model's `predict` decides."""
    explain: int = 0
    """How many features of each row's explanation are wanted."""


@dataclass(frozen=True)
class Values:
    """The values that a model predicts for some rows."""

    predictions: NDArray[Any]
    """Shape (rows,); of a model with several outputs (rows, outputs)."""
    probabilities: NDArray[Any] | None = None
    """`predict_proba`, shape (rows, classes), if it was asked for."""
    scores: NDArray[Any] | None = None
    """`decision_function`, shape (rows, columns), if it was asked for."""
    explanations: Explanations | None = None
    """The features that moved each prediction most, if they were asked for."""

    def of_rows(self, which: NDArray[Any]) -> "Values":
        """Returns the values of some rows, by their indexes or a mask of shape (rows,)."""
        return Values(
            self.predictions[which],
            None if self.probabilities is None else self.probabilities[which],
            None if self.scores is None else self.scores[which],
            None if self.explanations is None else self.explanations.of_rows(which),
        )

    def joined(self, others: Sequence["Values"]) -> "Values":
        """These rows, and behind them those of the others, which were asked for the same."""
        every = [self, *others]
        shares = [values.probabilities for values in every if values.probabilities is not None]
        scores = [values.scores for values in every if values.scores is not None]
        explanations = [values.explanations for values in every if values.explanations is not None]
        return Values(
            np.concatenate([values.predictions for values in every]),
            np.concatenate(shares) if shares else None,
            np.concatenate(scores) if scores else None,
            explanations[0].joined(explanations[1:]) if explanations else None,
        )


@dataclass(frozen=True)
class Predicted:
    """The values of the table's rows `good`, in order, and the reason why each other row cannot be predicted."""

    values: Values
    good: NDArray[np.int64]
    faults: dict[int, str]


class SearchAborted(RowcastError):
    """The search for fatal rows was aborted. `rows` has those found: indexes, or after `numbered` row numbers."""

    def __init__(self, why: str, rows: Sequence[int]) -> None:
        named = f", after these rows: {', '.join(map(str, rows))}" if rows else ""
        super().__init__(f"the search for the rows that end or block the process was aborted {why}{named}")
        self.why, self.rows = why, rows

    def numbered(self, numbers: Callable[[int], int]) -> "SearchAborted":
        """Returns the same with the rows' own numbers."""
        return SearchAborted(self.why, [numbers(row) for row in self.rows])


def predict(model: "LoadedModel", table: Table, wanted: Wanted) -> Values:
    """Calls `predict` once, and `predict_proba` and `decision_function` if they are wanted. Shared steps run once.

    With a threshold, `predict_proba` takes the place of `predict`.

    Raises:
        ModelRefused: the model returns other shapes than in its manifest, has no such method, or imports a module
            that is missing.
        Exception: whatever the estimator raises.
    """
    try:
        with model.code.active():
            values = _predict(model, table, wanted)
            return replace(values, explanations=_explained(model, table, wanted.explain)) if wanted.explain else values
    except ImportError as error:  # not the fault of a row
        known_as = f"{model.manifest.name}@{model.manifest.version}"
        raise ModelRefused(f"predict of {known_as} failed: {why_unreadable(error, model.code)}") from error


def _predict(model: "LoadedModel", table: Table, wanted: Wanted) -> Values:
    rows, manifest = len(table), model.manifest
    asked = {
        "predict": wanted.threshold is None,
        "predict_proba": wanted.probabilities or wanted.threshold is not None,
        "decision_function": wanted.scores,
    }
    methods = [method for method, is_wanted in asked.items() if is_wanted]
    for method in methods:
        if method != "predict" and not hasattr(model.estimator, method):
            raise ModelRefused(f"The model {manifest.name}@{manifest.version} has no `{method}`.")
    estimator = model.estimator
    answers = {name: as_array(values, estimator) for name, values in called(estimator, table, methods).items()}
    shares, scores = answers.get("predict_proba"), answers.get("decision_function")
    if shares is not None:
        _require(model, "predict_proba", shares, (rows, len(manifest.classes or [])))
    if scores is not None:
        scores = scores.reshape(rows, -1) if scores.ndim == 1 else scores
        _require(model, "decision_function", scores, (rows, len(manifest.scores or [])))
    if shares is not None and wanted.threshold is not None:
        # As a script has it: narrow floats are compared in their own width.
        predictions = class_labels(manifest)[(shares[:, 1] >= wanted.threshold).astype(np.intp)]
        return Values(predictions, shares if wanted.probabilities else None, scores)
    predictions = answers["predict"]
    if manifest.outputs is None and predictions.shape == (rows, 1):
        predictions = predictions.ravel()
    _require(model, "predict", predictions, (rows,) if manifest.outputs is None else (rows, len(manifest.outputs)))
    return Values(predictions, shares, scores)


def as_array(answer: Any, estimator: Any) -> NDArray[Any]:
    """Returns a method's answer. Dates are texts as in `str`: without a time if no class has one, `NaT` if missing."""
    values = np.asarray(answer)
    if values.dtype.kind != "M":
        return values
    classes = getattr(estimator, "classes_", None)
    are_days = isinstance(classes, np.ndarray) and bool((classes.astype("datetime64[D]") == classes).all())
    texts = [str(date)[:10] if are_days else str(date) for date in pd.DatetimeIndex(values.ravel())]
    return np.array(texts, object).reshape(values.shape)


def _explained(model: "LoadedModel", table: Table, count: int) -> Explanations:
    from rowcast.scoring.explaining.explainer import explainer_of  # only a process that explains needs it

    try:
        return explainer_of(model).of(table, count)
    except Inexplicable as error:
        raise ModelRefused(f"The model {model.manifest.reference} {error}.") from error


def class_labels(manifest: Manifest) -> NDArray[Any]:
    """Returns the labels of the classes in the model's order. Texts, and labels of several types, are objects."""
    classes = manifest.classes or []
    kinds = {type(label) for label in classes}
    if len(kinds) == 1 and kinds <= {bool, int, float}:
        return np.array(classes)
    labels = np.empty(len(classes), "object")
    labels[:] = classes
    return labels


def called(estimator: Any, table: Any, methods: Sequence[str]) -> dict[str, Any]:
    """Returns what each of the estimator's methods returns for the table.

    In scikit-learn's `Pipeline`, `predict` and `predict_proba` each run all steps before the last one. Here these run
    once, and the methods of the last step get the same rows. If a method has changed the rows, or they are not numbers,
    the others are called on the pipeline itself.

    Raises:
        Exception: whatever the estimator raises.
    """
    first, *others = methods
    if not others or not _is_pipeline(estimator):
        return {method: getattr(estimator, method)(table) for method in methods}
    rows, last = table, estimator.steps[-1][1]
    for _, step in estimator.steps[:-1]:
        if step is not None and step != "passthrough":
            rows = step.transform(rows)
    before = _numbers(rows)
    answers = {first: getattr(last, first)(rows)}
    for method in others:
        unchanged = before is not None and before == _numbers(rows)
        answers[method] = getattr(last, method)(rows) if unchanged else getattr(estimator, method)(table)
    return answers


def _is_pipeline(estimator: Any) -> bool:
    """Returns whether it is scikit-learn's own `Pipeline`. A subclass may do something else."""
    kind = type(estimator)
    return (kind.__module__, kind.__name__) == ("sklearn.pipeline", "Pipeline")


def _numbers(rows: Any) -> list[bytes] | None:
    """Returns the bytes of a table of numbers; None if it is anything else, for example a DataFrame."""
    if isinstance(rows, np.ndarray):
        arrays = [rows]
    elif issparse(rows) and rows.format in ("csr", "csc"):
        arrays = [rows.data, rows.indices, rows.indptr]
    else:
        return None
    return [array.tobytes() for array in arrays] if all(array.dtype.kind in "fiub" for array in arrays) else None


def predict_good(model: "LoadedModel", table: Table, wanted: Wanted) -> Predicted:
    """Predicts all rows that can be predicted, in one call; those that make the estimator raise are found by halving.

    Raises:
        MemoryError, RowcastError: passed on, because they are not the fault of a row.
        Exception: the estimator raises for rows together, but for none of them by itself.
    """
    rows = len(table)
    if not rows:
        return Predicted(no_values(model, wanted), np.arange(0), {})
    try:
        return without_unexplained(Predicted(predict(model, table, wanted), np.arange(rows), {}))
    except (MemoryError, RowcastError):
        raise
    except Exception as error:
        faults = {0: one_line(error)} if rows == 1 else _raising(model, table, wanted, 0, rows)
        if not faults:
            raise
    good = np.setdiff1d(np.arange(rows), np.array(list(faults)), assume_unique=True)
    rest = predict_good(model, rows_of(table, good), wanted)
    if rest.faults:
        raise RuntimeError(
            f"a row raises an exception among other rows, but not by itself: {next(iter(rest.faults.values()))}"
        )
    return Predicted(rest.values, good, faults)


def without_unexplained(predicted: Predicted) -> Predicted:
    """Returns the rows whose explanation adds up. The others are at fault: a wrong explanation is worse than none."""
    values, good = predicted.values, predicted.good
    faults = {} if values.explanations is None else values.explanations.faults
    if not faults:
        return predicted
    kept = np.setdiff1d(np.arange(len(good)), np.array(list(faults)), assume_unique=True)
    found = {int(good[place]): why for place, why in faults.items()}
    return Predicted(values.of_rows(kept), good[kept], predicted.faults | found)


def python_values(values: NDArray[Any]) -> list[Any]:
    """Returns Python's own values; a narrow float as the shortest float that reads back as it."""
    if values.dtype.kind == "f" and values.dtype.itemsize < 8:
        return [float(str(value)) if values.ndim == 1 else [float(str(one)) for one in value] for value in values]
    return list(values.tolist())


def no_values(model: "LoadedModel", wanted: Wanted) -> Values:
    """Returns the values of no rows, without a call of the estimator."""
    manifest = model.manifest
    return Values(
        np.empty(0) if manifest.outputs is None else np.empty((0, len(manifest.outputs))),
        np.empty((0, len(manifest.classes or []))) if wanted.probabilities else None,
        np.empty((0, len(manifest.scores or []))) if wanted.scores else None,
        Explanations.of_no_rows(wanted.explain) if wanted.explain else None,
    )


Predict = Callable[["LoadedModel", Table, Wanted], Predicted]
"""`predict_good`, or a function with the same result."""


def _raising(model: "LoadedModel", table: Table, wanted: Wanted, start: int, stop: int) -> dict[int, str]:
    """Returns the rows from `start` to before `stop` that raise, by halving what raises."""
    try:
        predict(model, rows_of(table, slice(start, stop)), wanted)
    except (MemoryError, RowcastError):
        raise
    except Exception as error:
        if stop - start == 1:
            return {start: one_line(error)}
        middle = (start + stop) // 2
        return _raising(model, table, wanted, start, middle) | _raising(model, table, wanted, middle, stop)
    return {}


def rows_of(table: Table, which: slice | NDArray[np.int64]) -> Table:
    """Returns some rows of a table as a new table with an index from 0, because some steps align rows by the index."""
    return table[which] if isinstance(table, np.ndarray) else table.iloc[which].reset_index(drop=True)


def _require(model: "LoadedModel", method: str, values: NDArray[Any], shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ModelRefused(
            f"{method} of the model {model.manifest.name}@{model.manifest.version} returned an array of the shape "
            f"{values.shape}, but its manifest says {shape}."
        )
