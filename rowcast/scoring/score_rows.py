"""Scoring single rows: JSON values in, a JSON document with the prediction out for each row."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rowcast.csv.write import label_text
from rowcast.jobs.options import RowExtras, threshold_of
from rowcast.models.model_manifest import Label
from rowcast.models.model_set import labels_of
from rowcast.scoring.explaining.explanations import Explanations
from rowcast.scoring.predict import Predict, Values, Wanted, predict_good, python_values
from rowcast.scoring.predicted_cells import ranked
from rowcast.scoring.table import table_of_values

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel


def predict_rows(
    model: "LoadedModel",
    rows: Sequence[Sequence[object]],
    extras: Sequence[RowExtras],
    predict: Predict = predict_good,
) -> list[dict[str, Any] | str]:
    """Predicts rows of checked JSON values, in one call for those with the same threshold.

    Returns:
        For each row `{"prediction": v}`, with `probabilities` `{"LABEL": share}`, `scores` `{"COLUMN": score}` and
        `top` `[{"class": v, "probability": share}]` and `explanations` `[{"feature": name, "value": v}]` if its
        `extras` ask for them, ready for JSON; or why it cannot be predicted.
    """
    thresholds = list(dict.fromkeys(one.threshold for one in extras))
    if len(thresholds) > 1:
        found: dict[int, dict[str, Any] | str] = {}
        for threshold in thresholds:
            places = [place for place, one in enumerate(extras) if one.threshold == threshold]
            some = [rows[place] for place in places], [extras[place] for place in places]
            found |= zip(places, predict_rows(model, *some, predict), strict=True)
        return [found[place] for place in range(len(rows))]
    table, faults = table_of_values(rows, model)
    predicted = predict(model, table, _wanted(model, extras))
    good = np.array([row for row in range(len(rows)) if row not in faults], np.int64)
    answers: dict[int, dict[str, Any] | str] = dict(faults)
    answers |= {int(good[index]): message for index, message in predicted.faults.items()}
    places = good[predicted.good].tolist()
    documents = _documents(model, predicted.values, [extras[place] for place in places])
    answers |= zip(places, documents, strict=True)
    return [answers[row] for row in range(len(rows))]


def _wanted(model: "LoadedModel", extras: Sequence[RowExtras]) -> Wanted:
    """Returns what rows with one threshold need together."""
    return Wanted(
        any(one.probabilities or one.top for one in extras),
        any(one.scores for one in extras),
        threshold_of(model.manifest, extras[0].threshold) if extras else None,
        max((one.explain or 0 for one in extras), default=0),
    )


def predict_rows_of_each(
    models: Sequence["LoadedModel"],
    rows: Sequence[Sequence[Any]],
    extras: Sequence[RowExtras],
    predict: Predict = predict_good,
) -> list[dict[str, Any] | str]:
    """Predicts rows with one model, as `predict_rows` does, or with two.

    With two, each row has a list of values for each model, and each member of a document is an object with an entry
    for each model. A row that one model cannot predict has no prediction; the message names the model.
    """
    if len(models) == 1:
        return predict_rows(models[0], rows, extras, predict)
    labels = labels_of([model.manifest for model in models])
    each = [predict_rows(model, [row[place] for row in rows], extras, predict) for place, model in enumerate(models)]
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
        for name in ("prediction", "probabilities", "scores", "top")
        if any(name in document for document in documents.values())
    }
    warnings = [
        f"{document['warning']} (model {label})" for label, document in documents.items() if "warning" in document
    ]
    return {**joined, "warning": "; ".join(warnings)} if warnings else joined


def _documents(model: "LoadedModel", values: Values, asked: Sequence[RowExtras]) -> list[dict[str, Any]]:
    """Returns the document of each row, with what it asks for. Rows that share a call may differ in that."""
    manifest = model.manifest
    documents = [_document(value, manifest.outputs) for value in python_values(values.predictions)]
    labels = [label_text(label) for label in manifest.classes or []]
    for name, columns, floats in (
        ("probabilities", labels, values.probabilities),
        ("scores", manifest.scores or [], values.scores),
    ):
        if floats is not None:
            by_column = [map(_json, python_values(column)) for column in floats.T]
            for document, one, row in zip(documents, asked, zip(*by_column, strict=True), strict=True):
                if getattr(one, name):
                    document[name] = dict(zip(columns, row, strict=True))
    if values.probabilities is not None and any(one.top for one in asked):
        _add_top(documents, manifest.classes or [], values.probabilities, asked)
    if values.explanations is not None:
        names = [feature.name for feature in manifest.table_features]
        _add_explanations(documents, names, values.explanations, asked)
    return documents


def _add_top(
    documents: Sequence[dict[str, Any]],
    classes: Sequence[Label],
    shares: NDArray[Any],
    asked: Sequence[RowExtras],
) -> None:
    """Adds the most likely classes to the documents of the rows that ask for them."""
    ranks = ranked(shares)
    ordered = [map(_json, python_values(column)) for column in np.take_along_axis(shares, ranks, axis=1).T]
    for document, one, places, row in zip(documents, asked, ranks.tolist(), zip(*ordered, strict=True), strict=True):
        if one.top:
            pairs = [{"class": classes[place], "probability": share} for place, share in zip(places, row, strict=True)]
            document["top"] = pairs[: one.top]


def _add_explanations(
    documents: Sequence[dict[str, Any]], names: Sequence[str], found: Explanations, asked: Sequence[RowExtras]
) -> None:
    """Adds the strongest features to the documents of the rows that ask for them."""
    rows = zip(found.base.tolist(), found.features.tolist(), found.values.tolist(), strict=True)
    for document, one, (base, places, values) in zip(documents, asked, rows, strict=True):
        if one.explain:
            pairs = [{"feature": names[place], "value": value} for place, value in zip(places, values, strict=True)]
            document |= {"explanation_base": base, "explanations": pairs[: one.explain]}


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
