"""One row as JSON, checked against a model's features, before it is queued."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from rowcast.errors import RowValues
from rowcast.models import cells
from rowcast.models.model_manifest import Feature, Manifest
from rowcast.nearest import nearest

_UNKNOWN_TOLD = 20
_NAME_CHARACTERS = 200
"""How much of a name is told back, which may be as long as the body."""

_EXPECTED = {
    "number": "a number",
    "integer": "a whole number",
    "text": "text",
    "boolean": "true or false",
    "date": "a date as text",
    "category": "one of the categories",
}


def row_values(features: Any, manifest: Manifest, where: str = "features") -> list[Any]:
    """The row's values in the model's order: float or int, str, bool, or None for a missing one.

    `features` is a list in the model's order, or an object by the features' names.

    Raises:
        RowValues: with one fault for each value that does not fit.
    """
    if isinstance(features, Mapping):
        return _checked(_by_name(features, manifest, where), manifest, where)
    if not isinstance(features, Sequence) or isinstance(features, str):
        raise RowValues.at(where, "must be a list in the model's order, or an object with the features' names as keys")
    if len(features) != len(manifest.features):
        names = ", ".join(manifest.feature_names)
        raise RowValues.at(where, f"has {len(features)} values, the model takes {len(manifest.features)}: {names}")
    return _checked(list(features), manifest, where)


def csv_value(value: Any, feature: Feature) -> Any:
    """A checked value as the cell of a CSV that the feature reads as the same: booleans by its own texts, 3.0 as 3."""
    if isinstance(value, bool) and feature.kind == "boolean":
        return (feature.true_texts if value else feature.false_texts)[0]
    if isinstance(value, float) and value.is_integer() and feature.kind == "integer":
        return int(value)
    return value


def _by_name(features: Mapping[str, Any], manifest: Manifest, where: str) -> list[Any]:
    known = manifest.feature_names
    if features.keys() != set(known):
        _raise(_names_amiss(features, manifest, where))
    return [features.get(name) for name in known]


def _names_amiss(features: Mapping[str, Any], manifest: Manifest, where: str) -> list[dict[str, str]]:
    """Faults: the first of the unknown names, each missing one. `features` may have any number of names."""
    known = manifest.feature_names
    expected, faults = set(known), []
    for name in islice((name for name in features if name not in expected), _UNKNOWN_TOLD):
        close = nearest(name, known)
        faults.append(_fault(where, name, f"unknown; the nearest is {close!r}" if close else "unknown"))
    return faults + [_fault(where, name, "missing") for name in manifest.required_names if name not in features]


def _checked(values: list[Any], manifest: Manifest, where: str) -> list[Any]:
    faults = [
        _fault(where, feature.name, message)
        for value, feature in zip(values, manifest.features, strict=True)
        if (message := _misfit(value, feature))
    ]
    _raise(faults)
    return [None if value == "" else value for value in values]


def _misfit(value: Any, feature: Feature) -> str | None:
    """What is wrong with a value, or None. JSON's true is no number, and no text is.

    What a date or a category says is checked by the worker, which knows the format.
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
