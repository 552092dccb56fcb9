"""Native files of LightGBM, which are text. They have the trees, and not the labels of the classes."""

import re
from typing import Any

import numpy as np

from rowcast.errors import Unprocessable
from rowcast.models.loading.pickle_scan import PickleScan
from training.formats.model_format import LoadContext, ModelFormat

_FIRST_LINE = b"tree\nversion="

_REGRESSIONS = frozenset(
    {"regression", "regression_l1", "huber", "fair", "poisson", "quantile", "mape", "gamma", "tweedie"}
)
"""Objectives with which `LGBMRegressor.predict` returns what the file's trees give."""

_CLASSIFICATIONS = frozenset({"binary", "multiclass", "multiclassova"})

_REMEDY = "pickle the classifier or regressor instead: pickle.dump(model, file)"


def _is_lightgbm(data: bytes) -> bool:
    return data[:64].replace(b"\r\n", b"\n").startswith(_FIRST_LINE)


def _load(data: bytes, context: LoadContext) -> Any:
    """Returns an `LGBMClassifier` or `LGBMRegressor` with the trees of the file."""
    import lightgbm

    booster = lightgbm.Booster(model_str=data.decode())
    found = re.search(rb"^objective=(\S+)", data, re.MULTILINE)
    objective = found[1].decode() if found else "of its own"
    if objective in _REGRESSIONS:
        if context.classes:
            raise Unprocessable.at("--classes", f"{context.name} is a regressor (objective {objective}): leave it out")
        return _around(booster, lightgbm.LGBMRegressor(n_jobs=1), objective)
    if objective not in _CLASSIFICATIONS:
        raise Unprocessable(
            f"{context.name} has the objective {objective}, for which the file does not say what `predict` returns; "
            f"{_REMEDY}."
        )
    number = 2 if objective == "binary" else booster.num_model_per_iteration()
    classes = _classes(context, number)
    estimator = _around(booster, lightgbm.LGBMClassifier(n_jobs=1), objective)
    encoder = _encoder(classes)
    estimator._le, estimator._classes, estimator._n_classes = encoder, encoder.classes_, number
    return estimator


def _around(booster: Any, estimator: Any, objective: str) -> Any:
    """Makes a fitted estimator of `booster`: it gets the attributes that LightGBM's own `fit` sets, and a pickle has.

    LightGBM has no public way to do that.
    """
    names = booster.feature_name()
    estimator._Booster, estimator._objective, estimator.fitted_ = booster, objective, True
    estimator._n_features = estimator._n_features_in = len(names)
    estimator._fitted_with_feature_names = names != [f"Column_{place}" for place in range(len(names))]
    return estimator


def _encoder(classes: "np.ndarray[Any, Any]") -> Any:
    from sklearn.preprocessing import LabelEncoder

    return LabelEncoder().fit(classes)


def _classes(context: LoadContext, number: int) -> "np.ndarray[Any, Any]":
    """Returns the named labels as booleans, numbers or texts, sorted as LightGBM sorted them when it was fitted."""
    if not context.classes:
        raise Unprocessable(
            f"{context.name} has {number} classes, and LightGBM's files do not keep their labels: name them, for "
            f"example --classes {','.join(map(str, range(number)))}, or {_REMEDY}."
        )
    texts = list(context.classes)
    values: np.ndarray[Any, Any] = np.array(texts)
    for kind in (_truth, int, float):
        try:
            values = np.array([kind(text) for text in texts])
        except ValueError:
            continue
        break
    if len(np.unique(values)) != number or len(texts) != number:
        raise Unprocessable.at("--classes", f"names {len(set(texts))} labels, and {context.name} has {number} classes")
    return np.sort(values)


def _truth(text: str) -> bool:
    """Returns `True` or `False` as Python writes them. Other texts are a ValueError."""
    return ("False", "True").index(text) == 1


LIGHTGBM = ModelFormat(
    name="lightgbm",
    endings=(".lgb", ".txt"),
    written_by="`model.booster_.save_model(file)`; of a classifier with `--classes`, because the file has no labels",
    danger="crash LightGBM; reading it is tried in another process first",
    needs="lightgbm",
    runs_code=False,
    recognises=_is_lightgbm,
    scan=lambda _data: PickleScan(modules={"lightgbm"}),
    load=_load,
    trial="import sys, lightgbm; lightgbm.Booster(model_str=sys.stdin.buffer.read().decode())",
    takes_classes=True,
)
