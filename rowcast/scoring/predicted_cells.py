"""The cells of predicted values, as a result has them, and the count of each label."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.csv.write import csv_cell, label_text
from rowcast.scoring.predict import Values, python_values

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def added_cells(model: "LoadedModel", values: Values, delimiter: str, *, guard_formulas: bool = False) -> list[bytes]:
    """Returns the cells that a result adds to each row: predictions, probabilities and scores, joined by the delimiter.

    `guard_formulas`: text that a spreadsheet would take for a formula gets an apostrophe in front.
    """
    is_few = model.manifest.task != "regression"
    outputs = [values.predictions] if values.predictions.ndim == 1 else list(values.predictions.T)
    columns = [_cells(output, delimiter, few=is_few, guard_formulas=guard_formulas) for output in outputs]
    for floats in (values.probabilities, values.scores):
        columns += [] if floats is None else [_cells(column, delimiter, few=False) for column in floats.T]
    if len(columns) == 1:
        return columns[0]
    return list(map(delimiter.encode().join, zip(*columns, strict=True)))


def counts(values: NDArray[Any]) -> dict[str, int]:
    """Returns how often each label came, by its text."""
    codes, labels = pd.factorize(values, use_na_sentinel=False)
    texts = [label_text(label) for label in python_values(np.asarray(labels))]
    return dict(zip(texts, np.bincount(codes, minlength=len(texts)).tolist(), strict=True))


def _cells(values: NDArray[Any], delimiter: str, *, few: bool, guard_formulas: bool = False) -> list[bytes]:
    """Returns each value as a field. `few`: there are few different ones, so that each is written once."""
    if few or values.dtype.kind not in "iuf":
        codes, labels = pd.factorize(values, use_na_sentinel=False)
        texts = map(_guarded if guard_formulas else label_text, python_values(np.asarray(labels)))
        written = [csv_cell(text, delimiter) for text in texts]
        return [written[code] for code in codes.tolist()]
    # A list writes its numbers as `repr` does each, the shortest form that reads back the same, but in one go.
    return repr(python_values(values))[1:-1].encode().split(b", ") if len(values) else []


def _guarded(label: object) -> str:
    """Returns a text, with an apostrophe if it begins like a formula (OWASP, "CSV Injection"); numbers stay."""
    text = label_text(label)
    return f"'{text}" if isinstance(label, str) and text.startswith(_FORMULA_STARTS) else text
