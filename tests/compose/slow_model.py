"""Registers `slow`, whose predictions take seconds a chunk: the nearest of many rows, found by looking at each.

Runs in the worker's image, so that the model has the versions that the workers have.
"""

import pickle

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

from rowcast.models.model_manifest import Feature
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage
from training.registration import draft

ROWS = 200_000

made = np.random.default_rng(0)
rows = np.column_stack([made.uniform(0, 80, ROWS), made.integers(1, 4, ROWS)])
estimator = KNeighborsClassifier(n_neighbors=1, algorithm="brute").fit(rows, rows[:, 1].astype(int))
features = [Feature(name=name, kind="number", missing=False) for name in ("age", "pclass")]
document = draft(estimator, training={}, task="classification", features=features, classes=estimator.classes_.tolist())
Registry(Storage(Settings.read().models)).register("slow", pickle.dumps(estimator), document)
