"""Registering: what a fitted estimator is, put down for its manifest."""

from collections.abc import Mapping, Sequence
from importlib.metadata import packages_distributions
from typing import Any

import numpy as np

from rowcast.models.load import library_version
from rowcast.models.manifest import Draft, Feature, Label

LIBRARIES = ("python", "scikit-learn", "numpy", "scipy", "pandas", "joblib")
"""What a pickled pipeline depends on."""

Training = Mapping[str, Label | list[str] | None]


def draft(estimator: Any, features: Sequence[Feature], *, metrics: Mapping[str, float], training: Training) -> Draft:
    """The manifest of a fitted estimator, but for what the registry adds."""
    classes = getattr(estimator, "classes_", None)
    return Draft(
        task="regression" if classes is None else "classification",
        features=list(features),
        classes=None if classes is None else np.asarray(classes).tolist(),
        probabilities=classes is not None and hasattr(estimator, "predict_proba"),
        metrics={name: value for name, value in metrics.items() if np.isfinite(value)},
        training=dict(training),
        libraries=libraries(estimator),
    )


def libraries(estimator: Any) -> dict[str, str]:
    """The versions of Python, of what every pipeline is made of, and of where the estimator comes from."""
    names = [*LIBRARIES, *packages_distributions().get(type(estimator).__module__.split(".")[0], [])]
    versions = {name: library_version(name) for name in names}
    return {name: version for name, version in versions.items() if version is not None}
