"""Two models that predict the same rows: what they need together, and the columns that each adds."""

from collections.abc import Mapping, Sequence
from typing import Any

from rowcast.client.csv_options import FrameOptions
from rowcast.client.errors import WrongUse
from rowcast.client.frames.frame_features import truth_texts

Manifest = Mapping[str, Any]


def reference(manifest: Manifest) -> str:
    """Returns `NAME@VERSION`."""
    return f"{manifest['name']}@{manifest['version']}"


def label_columns(manifests: Sequence[Manifest], options: FrameOptions) -> dict[str, Manifest]:
    """Returns the models by the columns that get their labels: predictions, and the most likely classes.

    The columns are named after the models if there are two, unless the option `columns` names them.
    """
    are_named_alike = len({one["name"] for one in manifests}) < len(manifests)
    found: dict[str, Manifest] = {}
    for one in manifests:
        of = "" if len(manifests) == 1 else f"_{reference(one) if are_named_alike else one['name']}"
        found[f"{options.get('prediction_column') or 'prediction'}{of}"] = one
        found |= {f"top{of}_{rank}": one for rank in range(1, (options.get("top") or 0) + 1)}
    renamed = _renamed(options.get("columns"))
    return {renamed[name]: one for name, one in found.items() if name in renamed} if renamed else found


def _renamed(columns: str | Sequence[str] | Mapping[str, str] | None) -> dict[str, str]:
    """Returns the names in the result by the columns' own names, as the service reads the option `columns`."""
    if isinstance(columns, Mapping):
        return dict(columns)
    parts = columns.split(",") if isinstance(columns, str) else columns or ()
    pairs = [part.strip().rpartition(":") for part in parts]
    return {own.strip() if colon else new: new.strip() for own, colon, new in pairs}


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
