"""Scoring single rows: JSON values in, a JSON document with the prediction out for each row."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from rowcast.csv.write import label_text
from rowcast.models.model_set import labels_of
from rowcast.scoring.predict import Predict, Values, Wanted, predict_good, python_values
from rowcast.scoring.table import table_of_values

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel


def predict_rows(
    model: "LoadedModel",
    rows: Sequence[Sequence[object]],
    wanted: Wanted,
    predict: Predict = predict_good,
) -> list[dict[str, Any] | str]:
    """Predicts rows of checked JSON values in one call.

    Returns:
        For each row `{"prediction": v}`, with `probabilities` `{"LABEL": share}` and `scores` `{"COLUMN": score}` if
        they are wanted, ready for JSON; or why it cannot be predicted.
    """
    table, faults = table_of_values(rows, model)
    predicted = predict(model, table, wanted)
    good = np.array([row for row in range(len(rows)) if row not in faults], np.int64)
    answers: dict[int, dict[str, Any] | str] = dict(faults)
    answers |= {int(good[index]): message for index, message in predicted.faults.items()}
    answers |= zip(good[predicted.good].tolist(), _documents(model, predicted.values), strict=True)
    return [answers[row] for row in range(len(rows))]


def predict_rows_of_each(
    models: Sequence["LoadedModel"],
    rows: Sequence[Sequence[Any]],
    wanted: Wanted,
    predict: Predict = predict_good,
) -> list[dict[str, Any] | str]:
    """Predicts rows with one model, as `predict_rows` does, or with two.

    With two, each row has a list of values for each model, and each member of a document is an object with an entry
    for each model. A row that one model cannot predict has no prediction; the message names the model.
    """
    if len(models) == 1:
        return predict_rows(models[0], rows, wanted, predict)
    labels = labels_of([model.manifest for model in models])
    each = [predict_rows(model, [row[place] for row in rows], wanted, predict) for place, model in enumerate(models)]
    return [_of_both(dict(zip(labels, results, strict=True))) for results in zip(*each, strict=True)]


def _of_both(results: Mapping[str, dict[str, Any] | str]) -> dict[str, Any] | str:
    """Returns the document of a row, given what each model made of it."""
    documents: dict[str, dict[str, Any]] = {}
    for label, result in results.items():
        if isinstance(result, str):
            return f"{result} (model {label})"
        documents[label] = result
    joined: dict[str, Any] = {
        name: {label: document[name] for label, document in documents.items() if name in document}
        for name in ("prediction", "probabilities", "scores")
        if any(name in document for document in documents.values())
    }
    warnings = [
        f"{document['warning']} (model {label})" for label, document in documents.items() if "warning" in document
    ]
    return {**joined, "warning": "; ".join(warnings)} if warnings else joined


def _documents(model: "LoadedModel", values: Values) -> list[dict[str, Any]]:
    documents = [_document(value, model.manifest.outputs) for value in python_values(values.predictions)]
    labels = [label_text(label) for label in model.manifest.classes or []]
    extras = (("probabilities", labels, values.probabilities), ("scores", model.manifest.scores or [], values.scores))
    for name, columns, floats in extras:
        if floats is not None:
            by_column = [map(_json, python_values(column)) for column in floats.T]
            for document, row in zip(documents, zip(*by_column, strict=True), strict=True):
                document[name] = dict(zip(columns, row, strict=True))
    return documents


def _document(value: Any, outputs: Sequence[str] | None) -> dict[str, Any]:
    document = {"prediction": _json(value)}
    named = [("", value)]
    if outputs is not None:
        named = [(f" of {name!r}", one) for name, one in zip(outputs, value, strict=True)]
    odd = [f"the prediction{of} is {_not_finite(one)}" for of, one in named if _not_finite(one)]
    return {**document, "warning": "; ".join(odd)} if odd else document


def _not_finite(value: Any) -> str:
    """Returns what a float is that is not a finite number; empty for all other values."""
    if not isinstance(value, float) or math.isfinite(value):
        return ""
    return "not a number (NaN)" if math.isnan(value) else "infinite" if value > 0 else "negative infinity"


def _json(value: Any) -> Any:
    """JSON knows no NaN and no infinity, and of objects only those that it can write."""
    if isinstance(value, list):  # of a model with several outputs
        return [_json(output) for output in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
