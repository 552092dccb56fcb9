"""One row as JSON, checked against a model's features, before it is queued."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from rowcast.errors import RowValues
from rowcast.models import cells
from rowcast.models.model_manifest import Feature, Manifest
from rowcast.models.model_set import ModelSet
from rowcast.wording.nearest import if_nearest
from rowcast.wording.quantity import counted

_UNKNOWN_SHOWN = 20
_NAME_CHARACTERS = 200
"""Maximum characters of a name in a message; the name in the request may be as long as its body."""

_EXPECTED = {
    "number": "a number",
    "integer": "a whole number",
    "text": "text",
    "boolean": "true or false",
    "date": "a date as text",
    "category": "one of the categories",
}


def row_values(features: Any, manifest: Manifest, where: str = "features") -> list[Any]:
    """Checks one row, and returns its values in the model's order: each a float, int, str or bool, or None if missing.

    `features` is a list in the model's order, or an object with the features' names as keys, for example
    `{"age": 25, "pclass": 3}`.

    Raises:
        RowValues: it has one error for each invalid value.
    """
    if isinstance(features, Mapping):
        return _checked(_by_name(features, manifest, where), manifest, where)
    if not isinstance(features, Sequence) or isinstance(features, str):
        raise RowValues.at(where, "must be a list in the model's order, or an object with the features' names as keys")
    if len(features) != len(manifest.features):
        names = ", ".join(manifest.feature_names)
        raise RowValues.at(
            where, f"has {counted(len(features), 'value')}, the model takes {len(manifest.features)}: {names}"
        )
    return _checked(list(features), manifest, where)


def values_of_each(features: Any, models: ModelSet, where: str = "features") -> list[list[Any]]:
    """Checks one row for each model, as `row_values` does, and returns its values for each.

    With two models an object has the features of both. A list is possible if both take the same ones in one order.

    Raises:
        RowValues: it has one error for each invalid value.
    """
    if not models.is_pair:
        return [row_values(features, models.manifests[0], where)]
    if not isinstance(features, Mapping):
        if not models.has_one_order:
            names = ", ".join(models.feature_names)
            raise RowValues.at(where, f"must be an object, as the two models take different features: {names}")
        return [row_values(features, manifest, where) for manifest in models.manifests]
    known = set(models.feature_names)
    unknown = islice((name for name in features if name not in known), _UNKNOWN_SHOWN)
    _raise([_fault(where, name, f"unknown{if_nearest(name, models.feature_names)}") for name in unknown])
    return [
        _of_model(features, manifest, label, where)
        for manifest, label in zip(models.manifests, models.labels, strict=True)
    ]


def _of_model(features: Mapping[str, Any], manifest: Manifest, label: str, where: str) -> list[Any]:
    """Returns the values that one of two models takes. Errors name the model."""
    try:
        return row_values(
            {name: features[name] for name in manifest.feature_names if name in features}, manifest, where
        )
    except RowValues as error:
        _raise([{**fault, "message": f"{fault['message']} (model {label})"} for fault in error.errors or []])
        raise


def csv_value(value: Any, feature: Feature) -> Any:
    """Returns a checked value as the cell that the feature reads as the same: booleans as its texts, 3.0 as 3."""
    if isinstance(value, bool) and feature.kind == "boolean":
        return (feature.true_texts if value else feature.false_texts)[0]
    if isinstance(value, float) and value.is_integer() and feature.kind == "integer":
        return int(value)
    return value


def cell_text(value: Any, feature: Feature) -> str:
    """Returns a checked value as the text of the cell that a CSV would have for it; empty if it is missing."""
    if value is None:
        return ""
    written = csv_value(value, feature)
    if isinstance(written, float) and written.is_integer() and feature.kind == "category":
        return str(int(written))
    return written if isinstance(written, str) else str(written)


def _by_name(features: Mapping[str, Any], manifest: Manifest, where: str) -> list[Any]:
    known = manifest.feature_names
    if features.keys() != set(known):
        _raise(_names_amiss(features, manifest, where))
    return [features.get(name) for name in known]


def _names_amiss(features: Mapping[str, Any], manifest: Manifest, where: str) -> list[dict[str, str]]:
    """Returns errors for the first unknown names and all missing ones. `features` may have any number of names."""
    known = manifest.feature_names
    expected, faults = set(known), []
    for name in islice((name for name in features if name not in expected), _UNKNOWN_SHOWN):
        faults.append(_fault(where, name, f"unknown{if_nearest(name, known)}"))
    return faults + [_fault(where, name, "missing") for name in manifest.required_names if name not in features]


def _checked(values: list[Any], manifest: Manifest, where: str) -> list[Any]:
    faults = [
        _fault(where, feature.name, message)
        for value, feature in zip(values, manifest.features, strict=True)
        if (message := _why_invalid(value, feature))
    ]
    _raise(faults)
    return [None if value == "" else value for value in values]


def _why_invalid(value: Any, feature: Feature) -> str | None:
    """Returns what is wrong with a value, or None. For a number, neither JSON's true nor a text is accepted.

    The worker checks the content of dates and categories, because it knows their format.
    """
    if not feature.required:
        return None
    if value is None or (value == "" and feature.kind in ("text", "date", "category")):
        return None if feature.missing else "missing, and the model does not accept a missing value here"
    fits = {
        "number": isinstance(value, int | float) and not isinstance(value, bool) and cells.is_finite(value),
        "integer": isinstance(value, int | float) and not isinstance(value, bool) and cells.is_whole(value),
        "text": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "date": isinstance(value, str),
        "category": isinstance(value, str | bool | int | float),
    }[feature.kind]
    return None if fits else f"must be {_EXPECTED[feature.kind]}"


def _fault(where: str, name: str, message: str) -> dict[str, str]:
    return {"where": f"{where}.{name[:_NAME_CHARACTERS]}", "message": message}


def _raise(faults: list[dict[str, str]]) -> None:
    if faults:
        raise RowValues("; ".join(f"{fault['where']} {fault['message']}" for fault in faults[:5]) + ".", faults)
