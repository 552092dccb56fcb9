"""Two models that predict the same rows: what they need together, and the columns that each adds."""

from collections.abc import Mapping, Sequence
from typing import Any

from rowcast.client.errors import WrongUse
from rowcast.client.frames.frame_features import truth_texts

Manifest = Mapping[str, Any]


def reference(manifest: Manifest) -> str:
    """Returns `NAME@VERSION`."""
    return f"{manifest['name']}@{manifest['version']}"


def prediction_columns(manifests: Sequence[Manifest], prediction_column: str) -> dict[str, Manifest]:
    """Returns the models by their prediction columns, which are named after the models if there are two."""
    if len(manifests) == 1:
        return {prediction_column: manifests[0]}
    are_named_alike = len({one["name"] for one in manifests}) < len(manifests)
    return {f"{prediction_column}_{reference(one) if are_named_alike else one['name']}": one for one in manifests}


def needed_together(manifests: Sequence[Manifest]) -> Manifest:
    """Returns a manifest that has the features of all models and the missing values of each.

    `gap_values` are the texts that every model reads as missing.

    Raises:
        WrongUse: two models do not take a feature in the same form.
    """
    if len(manifests) == 1:
        return manifests[0]
    features: dict[str, dict[str, Any]] = {}
    for feature in (feature for one in manifests for feature in one["features"]):
        known = features.setdefault(feature["name"], dict(feature))
        known["required"] = known.get("required", True) or feature.get("required", True)
        if {known["kind"], feature["kind"]} == {"integer", "number"}:  # both read 3 as they read 3.0
            known["kind"] = "integer"
        elif _form(known) != _form(feature):
            both = " and ".join(map(reference, manifests))
            raise WrongUse(
                f"The models {both} take the feature {feature['name']!r} in different forms; predict the frame with "
                "one model after the other."
            )
    missing = [frozenset(one.get("na_values") or [""]) for one in manifests]
    return {
        "features": list(features.values()),
        "na_values": sorted(frozenset.union(*missing)),
        "gap_values": sorted(frozenset.intersection(*missing)),
    }


def _form(feature: Mapping[str, Any]) -> tuple[object, ...]:
    """Returns what decides how a value is written."""
    return feature["kind"] == "integer", truth_texts(feature), feature.get("date_format")
