"""The cells of predicted values, as a result has them, and the count of each label."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.csv.write import csv_cell, label_text
from rowcast.jobs.results.result_columns import EXPLAINED, RANKED, AddedColumn
from rowcast.scoring.predict import Values, class_labels, python_values

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def added_cells(
    models: Sequence["LoadedModel"],
    values: Sequence[Values],
    columns: Sequence[AddedColumn],
    delimiter: str,
    *,
    guard_formulas: bool = False,
) -> list[bytes]:
    """Returns the cells that a result adds to each good row, joined by the delimiter. The column of the error is empty.

    Args:
        models: The models of the job.
        values: What each of them predicted for the same rows.
        columns: The added columns.
        delimiter: The delimiter of the result.
        guard_formulas: Text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    ranks = {number: _ranked(values[number], columns, number) for number in range(len(models))}

    def cells(column: AddedColumn) -> list[bytes]:
        model, own = models[column.model], values[column.model]
        match column.content:
            case "prediction":
                output = own.predictions if own.predictions.ndim == 1 else own.predictions[:, column.place]
                is_few = model.manifest.task != "regression"
                return _cells(output, delimiter, few=is_few, guard_formulas=guard_formulas)
            case "probability" if own.probabilities is not None:
                return _cells(own.probabilities[:, column.place], delimiter, few=False)
            case "score" if own.scores is not None:
                return _cells(own.scores[:, column.place], delimiter, few=False)
            case "top":
                labels = class_labels(model.manifest)[ranks[column.model][:, column.place]]
                return _cells(labels, delimiter, few=True, guard_formulas=guard_formulas)
            case "top_probability" if own.probabilities is not None:
                places = ranks[column.model][:, column.place]
                return _cells(own.probabilities[np.arange(len(places)), places], delimiter, few=False)
        return [b""] * len(own.predictions)

    made = [
        _explanation_cells(models[one.model], values[one.model], one, delimiter)
        if one.content in EXPLAINED
        else cells(one)
        for one in columns
    ]
    if len(columns) == 1:
        return made[0]
    return list(map(delimiter.encode().join, zip(*made, strict=True)))


def _explanation_cells(model: "LoadedModel", values: Values, column: AddedColumn, delimiter: str) -> list[bytes]:
    """Returns the cells of one of the columns that `explain` adds."""
    found = values.explanations
    if found is None:
        return [b""] * len(values.predictions)
    if column.content == "reason":
        names = np.array([feature.name for feature in model.manifest.table_features], object)
        return _cells(names[found.features[:, column.place]], delimiter, few=True)
    return _cells(found.base if column.content == "base" else found.values[:, column.place], delimiter, few=False)


def ranked(shares: NDArray[Any]) -> NDArray[np.intp]:
    """Returns the places of the classes in each row, the most likely first; equal ones stay in the model's order."""
    return np.argsort(-shares, axis=1, kind="stable")


def _ranked(values: Values, columns: Sequence[AddedColumn], model: int) -> NDArray[np.intp]:
    """Returns the ranking if one of the model's columns needs it."""
    if values.probabilities is None or not any(one.model == model and one.content in RANKED for one in columns):
        return np.empty((0, 0), np.intp)
    return ranked(values.probabilities)


def counts(values: NDArray[Any]) -> dict[str, int]:
    """Returns how often each label came, by its text."""
    codes, labels = _factorized(values)
    texts = [label_text(label) for label in python_values(np.asarray(labels))]
    return dict(zip(texts, np.bincount(codes, minlength=len(texts)).tolist(), strict=True))


def _cells(values: NDArray[Any], delimiter: str, *, few: bool, guard_formulas: bool = False) -> list[bytes]:
    """Returns each value as a field. `few`: there are few different ones, so that each is written once."""
    if few or values.dtype.kind not in "iuf":
        codes, labels = _factorized(values)
        texts = map(_guarded if guard_formulas else label_text, python_values(np.asarray(labels)))
        written = [csv_cell(text, delimiter) for text in texts]
        return [written[code] for code in codes.tolist()]
    # A list writes its numbers as `repr` does each, the shortest form that reads back the same, but in one go.
    return repr(python_values(values))[1:-1].encode().split(b", ") if len(values) else []


def _factorized(values: NDArray[Any]) -> tuple[NDArray[Any], Any]:
    """Returns the number of each value's label, and the labels.

    1, 1.0 and True are equal, and so are None and NaN for pandas, but not the same label.
    """
    codes, labels = pd.factorize(values, use_na_sentinel=False)
    if values.dtype.kind != "O" or all(isinstance(label, str) for label in labels):
        return codes, labels
    places: dict[str, int] = {}
    codes = np.array([places.setdefault(f"{type(value)}{value}", len(places)) for value in values.tolist()], np.intp)
    firsts = np.unique(codes, return_index=True)[1]
    return codes, values[firsts]


def _guarded(label: object) -> str:
    """Returns a text, with an apostrophe if it begins like a formula (OWASP, "CSV Injection"); numbers stay."""
    text = label_text(label)
    return f"'{text}" if isinstance(label, str) and text.startswith(_FORMULA_STARTS) else text
