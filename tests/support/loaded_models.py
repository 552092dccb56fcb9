"""Models as the worker has them, without a registry."""

from typing import Any

from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Feature, Label, Manifest


def loaded(
    estimator: Any, features: list[Feature], classes: list[Label] | None = None, outputs: list[str] | None = None
) -> LoadedModel:
    """An estimator with the manifest that it would have."""
    return LoadedModel(
        Manifest(
            name="m",
            version="1",
            sha256="0" * 64,
            created_at="2026-01-01T00:00:00Z",
            task="regression" if classes is None else "classification",
            features=features,
            classes=classes,
            outputs=outputs,
            probabilities=hasattr(estimator, "predict_proba"),
            libraries={},
        ),
        estimator,
        "frame" if hasattr(estimator, "feature_names_in_") else "array",
    )


def numbers(*names: str, missing: bool = False) -> list[Feature]:
    return [Feature(name=name, kind="number", missing=missing) for name in names]


class Answering:
    """Returns the same answer whatever it is asked."""

    def __init__(self, answer: Any, shares: Any = None) -> None:
        self.predict = lambda table: answer
        self.predict_proba = lambda table: shares
