"""Registering an estimator as `rowcast train` would, without training it there."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sklearn

from rowcast.models.model_manifest import Draft, Feature
from rowcast.models.registry import Registry
from rowcast.storage import Storage
from training.rehearsal.checks.single_rows import SingleRows

FEW_ALONE = SingleRows(seconds=0, by_script=2, by_service=2)
"""For a short rehearsal. `test_rehearsal.py` tests single rows."""


def register(models: Path, name: str, classifier: Any, columns: Sequence[str], **draft: Any) -> None:
    """Puts a fitted classifier of numbers, with the classes 0 and 1, into the registry."""
    draft = Draft(
        task="classification",
        features=[Feature(name=column, kind="number", missing=False) for column in columns],
        classes=[0, 1],
        libraries={"python": "3", "scikit-learn": str(sklearn.__version__)},
        **draft,
    )
    Registry(Storage(str(models))).register(name, pickle.dumps(classifier), draft)
