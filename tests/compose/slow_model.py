"""Registers `slow`, which takes a second for a thousand rows, and no processor: it predicts the class it is given.

Runs in the worker's image, so that the model has the versions that the workers have. Its class goes into the pickle by
value, as from a notebook.
"""

import time

import cloudpickle
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from rowcast.models.generated_key import signing_key
from rowcast.models.model_manifest import Feature
from rowcast.models.registry import Registry
from rowcast.settings import Settings
from rowcast.storage import Storage
from training.registration import draft


class Slow(ClassifierMixin, BaseEstimator):
    """Predicts its second feature, in its own time."""

    classes_ = np.array([1, 2, 3])

    def predict(self, table):
        time.sleep(len(table) / 1000)  # by the row: a worker predicts a slow chunk in slices
        return np.asarray(table, dtype=float)[:, 1].astype(int)


estimator = Slow()
features = [Feature(name="age", kind="number", missing=True), Feature(name="pclass", kind="number", missing=False)]
document = draft(estimator, training={}, task="classification", features=features, classes=estimator.classes_.tolist())
settings = Settings.read()
Registry(Storage(settings.models), signing_key(settings)).register("slow", cloudpickle.dumps(estimator), document)
