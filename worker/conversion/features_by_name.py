"""What a job's models read in each column of a file that is converted: one feature, or that of each of two models."""

from collections.abc import Mapping

from rowcast.models.model_manifest import Feature
from rowcast.models.model_set import ModelSet

FeaturesByName = Mapping[str, tuple[Feature, ...]]
"""For each column that a model looks at, its feature; two if two models look at it in different ways."""


def features_by_name(models: ModelSet) -> FeaturesByName:
    """Returns the features of all models."""
    found: dict[str, tuple[Feature, ...]] = {}
    for manifest in models.manifests:
        for feature in manifest.table_features:
            known = found.get(feature.name, ())
            if feature not in known:
                found[feature.name] = (*known, feature)
    return found


def unlike(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    """Returns one feature for each way in which booleans and dates are written for them."""
    return tuple({_written(feature): feature for feature in reversed(features)}.values())[::-1]


def _written(feature: Feature) -> tuple[object, ...]:
    if feature.kind == "boolean":
        return "boolean", feature.true_texts[0], feature.false_texts[0]
    return ("date", feature.date_format) if feature.kind == "date" else ()
