"""The comparison of two versions by their manifests: features, metrics, libraries and what else differs."""

from typing import Any

from typing_extensions import TypedDict

from rowcast.models.model_manifest import Feature, Manifest

_FACTS = ("task", "classes", "outputs", "probabilities", "scores", "container", "na_values")
"""The fields of a manifest that are compared as they are, besides features, metrics and libraries."""


class ChangedFeature(TypedDict):
    """A feature of both versions that one reads otherwise, in words, for example `number, may be missing`."""

    name: str
    before: str
    after: str


class FeatureChanges(TypedDict):
    """How the features of the second version differ from those of the first."""

    added: list[str]
    removed: list[str]
    changed: list[ChangedFeature]
    same_order: bool


class ComparedMetric(TypedDict):
    """A metric of both versions; null if a version does not have it."""

    name: str
    before: float | None
    after: float | None


class ComparedLibrary(TypedDict):
    """The versions of a library; null if a version of the model does not have it."""

    name: str
    before: str | None
    after: str | None


class ChangedFact(TypedDict):
    """A field of the manifest that differs."""

    name: str
    before: Any
    after: Any


class VersionComparison(TypedDict):
    """Two versions of models. `before` is of the first one, and `after` of the second. `libraries` are all."""

    versions: list[str]
    features: FeatureChanges
    metrics: list[ComparedMetric]
    libraries: list[ComparedLibrary]
    other: list[ChangedFact]


def compare(first: Manifest, second: Manifest) -> VersionComparison:
    """Returns what differs between two versions, and the metrics and libraries of both."""
    facts = [(name, getattr(first, name), getattr(second, name)) for name in _FACTS]
    return {
        "versions": [first.reference, second.reference],
        "features": _feature_changes(first, second),
        "metrics": [
            {"name": name, "before": first.metrics.get(name), "after": second.metrics.get(name)}
            for name in dict.fromkeys([*first.metrics, *second.metrics])
        ],
        "libraries": [
            {"name": name, "before": first.libraries.get(name), "after": second.libraries.get(name)}
            for name in dict.fromkeys([*first.libraries, *second.libraries])
        ],
        "other": [{"name": name, "before": one, "after": other} for name, one, other in facts if one != other],
    }


def feature_in_words(feature: Feature) -> str:
    """Returns how a version reads a feature, for example `category, may be missing, 12 values`."""
    words: list[str] = [feature.kind]
    if feature.kind in ("category", "text") and feature.categories is not None:
        words.append(f"{len(feature.categories)} values")
    if feature.dtype:
        words.append(feature.dtype)
    if feature.date_format:
        words.append(feature.date_format)
    if not feature.required:
        return ", ".join([*words, "not used"])
    return ", ".join([*words, "may be missing" if feature.missing else "required"])


def _feature_changes(first: Manifest, second: Manifest) -> FeatureChanges:
    before = {feature.name: feature for feature in first.features}
    after = {feature.name: feature for feature in second.features}
    shared = [name for name in before if name in after]
    return {
        "added": [name for name in after if name not in before],
        "removed": [name for name in before if name not in after],
        "changed": [_changed(before[name], after[name]) for name in shared if before[name] != after[name]],
        "same_order": shared == [name for name in after if name in before],
    }


def _changed(before: Feature, after: Feature) -> ChangedFeature:
    """Returns the change in words; if only values differ, those of one version only."""
    one, other = feature_in_words(before), feature_in_words(after)
    if one == other:
        known, now = (set(map(str, feature.categories or [])) for feature in (before, after))
        one += _only(known - now)
        other += _only(now - known)
    return {"name": before.name, "before": one, "after": other}


def _only(values: set[str]) -> str:
    """Returns values that only one version has, as the end of its description."""
    shown = sorted(values)
    return f", only here: {', '.join(shown[:8])}{' …' if len(shown) > 8 else ''}" if shown else ""
