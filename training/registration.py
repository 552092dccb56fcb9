"""Registering a fitted estimator: its manifest, and the write to the registry."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import BaseModel

from rowcast.models.drift.profile import Profile
from rowcast.models.loading.load import library_version
from rowcast.models.loading.own_code import NO_CODE, ModelCode
from rowcast.models.loading.requirements import distributions
from rowcast.models.loading.vetting import with_requirements
from rowcast.models.model_manifest import Draft, Golden, Label, Manifest, ProfileFile
from rowcast.models.registry import Registry
from rowcast.scoring.golden_sample import GoldenSample

LIBRARIES = ("python", "scikit-learn", "numpy", "scipy", "pandas", "joblib")
"""The distributions that a pickled pipeline depends on, and Python."""

Training = Mapping[str, Label | list[str] | None]


def draft(estimator: Any, *, training: Training, metrics: Mapping[str, float] | None = None, **fields: Any) -> Draft:
    """Returns the manifest of an estimator without what the registry adds; `fields` come from the rehearsal."""
    finite = {name: value for name, value in (metrics or {}).items() if np.isfinite(value)}
    return Draft(metrics=finite, training=dict(training), libraries=libraries(estimator), **fields)


def libraries(estimator: Any) -> dict[str, str]:
    """Returns the versions of Python, of `LIBRARIES`, and of the package that has the estimator's class."""
    names = [*LIBRARIES, *distributions(type(estimator).__module__.split(".")[0])]
    versions = {name: library_version(name) for name in names}
    return {name: version for name, version in versions.items() if version is not None}


def register(
    registry: Registry,
    name: str,
    data: bytes,
    completed: Draft,
    golden: GoldenSample | None,
    *,
    profile: Profile | None = None,
    own: ModelCode = NO_CODE,
) -> Manifest:
    """Registers a pickle with its golden sample, the profile of its sample, and its own code.

    The manifest records the packages that the pickle and the code import.
    """
    completed = with_requirements(completed, data, own)
    files: dict[str, bytes] = {}
    found: dict[str, Golden | ProfileFile] = {}
    if golden is not None:
        files["golden"], sha256 = _document(golden)
        found["golden"] = Golden(rows=golden.rows.count("\n"), sha256=sha256)
    if profile is not None:
        files["profile"], sha256 = _document(profile)
        found["profile"] = ProfileFile(rows=profile.rows, features=len(profile.features), sha256=sha256)
    return registry.register(
        name,
        data,
        completed.model_copy(update=found),
        files.get("golden"),
        own.files,
        profile=files.get("profile"),
    )


def _document(value: BaseModel) -> tuple[bytes, str]:
    """Returns what is written into a file, and its SHA-256."""
    document = value.model_dump_json().encode()
    return document, hashlib.sha256(document).hexdigest()
