"""What a model's features ask of a frame's columns, for every library."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rowcast.client.errors import WrongUse


def features_of(manifest: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Returns the model's features by name."""
    return {feature["name"]: feature for feature in manifest["features"]}


def missing_features(columns: Sequence[str], manifest: Mapping[str, Any]) -> list[str]:
    """Returns the required features that are not among the columns."""
    return [
        name for name, one in features_of(manifest).items() if one.get("required", True) and name not in set(columns)
    ]


def columns_to_send(columns: Sequence[str], manifest: Mapping[str, Any]) -> list[str]:
    """Returns the model's features, or all columns if a feature is missing."""
    if missing_features(columns, manifest):
        return list(columns)
    return [name for name in features_of(manifest) if name in set(columns)]


def na_texts_of(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Returns the texts that the model reads as missing values."""
    return frozenset(manifest.get("na_values") or [""])


def gap_of(manifest: Mapping[str, Any]) -> str:
    """Returns the text that is written for a missing value."""
    return "NaN" if "NaN" in manifest.get("gap_values", na_texts_of(manifest)) else ""


def truth_texts(feature: Mapping[str, Any]) -> tuple[str, str]:
    """Returns the texts for true and false: those of the feature, or `True` and `False`."""
    if feature["kind"] in ("number", "integer"):
        return "1", "0"
    true, false = feature.get("true_values") or ["True"], feature.get("false_values") or ["False"]
    return true[0], false[0]


def require_no_na_text(column: str, values: Iterable[Any], na_texts: frozenset[str]) -> None:
    """Checks the distinct values of a column of texts.

    Raises:
        WrongUse: one is a text that the model reads as a missing value.
    """
    for value in values:
        if isinstance(value, str) and value in na_texts:
            raise WrongUse(
                f"The column {column!r} has the text {value!r}, which the model reads as missing; "
                "replace it with None if it means that, or predict these rows one by one with predict."
            )
