"""Registering: what a fitted estimator is, put down for its manifest."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from rowcast.models.loading.load import library_version
from rowcast.models.loading.own_code import NO_CODE, ModelCode
from rowcast.models.loading.requirements import distributions
from rowcast.models.loading.vetting import with_requirements
from rowcast.models.model_manifest import Draft, Golden, Label, Manifest
from rowcast.models.registry import Registry
from rowcast.scoring.golden_sample import GoldenSample

LIBRARIES = ("python", "scikit-learn", "numpy", "scipy", "pandas", "joblib")
"""What a pickled pipeline depends on."""

Training = Mapping[str, Label | list[str] | None]


def draft(estimator: Any, *, training: Training, metrics: Mapping[str, float] | None = None, **fields: Any) -> Draft:
    """The manifest of an estimator, but for what the registry adds; `fields` are what the rehearsal found."""
    finite = {name: value for name, value in (metrics or {}).items() if np.isfinite(value)}
    return Draft(metrics=finite, training=dict(training), libraries=libraries(estimator), **fields)


def libraries(estimator: Any) -> dict[str, str]:
    """The versions of Python, of what every pipeline is made of, and of where the estimator comes from."""
    names = [*LIBRARIES, *distributions().get(type(estimator).__module__.split(".")[0], [])]
    versions = {name: library_version(name) for name in names}
    return {name: version for name, version in versions.items() if version is not None}


def register(
    registry: Registry, name: str, data: bytes, made: Draft, golden: GoldenSample | None, *, own: ModelCode = NO_CODE
) -> Manifest:
    """Registers a pickle with its golden sample, its own code, and a record of the packages that both import."""
    made = with_requirements(made, data, own)
    if golden is None:
        return registry.register(name, data, made, code=own.files)
    document = golden.model_dump_json().encode()
    digest = Golden(rows=golden.rows.count("\n"), sha256=hashlib.sha256(document).hexdigest())
    return registry.register(name, data, made.model_copy(update={"golden": digest}), document, own.files)
