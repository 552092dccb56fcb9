"""What the parts of a model are called with: the sample after the steps before each of them."""

import warnings
from typing import Any

import numpy as np
from joblib import parallel_config
from scipy.sparse import issparse

from rowcast.trees.fast_copies import plain
from rowcast.trees.model_walk import replaced
from rowcast.trees.shallow_copy import shallow_copy

MOST_ROWS = 2_000
"""Rows of an estimator's input that are kept."""

_METHODS = ("predict", "predict_proba", "decision_function", "score_samples", "transform")


def own_inputs(model: Any, sample: Any) -> dict[str, Any]:
    """Returns the first rows with which the model's `predict` (or `transform`) calls each part that may be replaced.

    They are by the part's path. Parts that are not called are left out.
    """
    seen: dict[str, Any] = {}
    observed = replaced(model, lambda path, estimator: _observed(plain(estimator), path, seen))
    with warnings.catch_warnings(), parallel_config(backend="threading"), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        call = getattr(observed, "predict", None) or getattr(observed, "transform", None)
        if call is not None:
            call(sample)
    return seen


def first_rows(rows: Any, count: int) -> Any:
    """Returns the first rows of a table. A sparse matrix and a list become an array."""
    if hasattr(rows, "iloc"):
        return rows.iloc[:count]
    return rows[:count].toarray() if issparse(rows) else np.asarray(rows)[:count]


def _observed(estimator: Any, path: str, seen: dict[str, Any]) -> Any:
    """Returns a copy of the estimator that notes with what it is called."""
    original = type(estimator)
    methods = {name: _noting(original, name, path, seen) for name in _METHODS if hasattr(original, name)}
    kind = type(original.__name__, (original,), {**methods, "__module__": __name__})
    return shallow_copy(estimator, kind)


def _noting(original: type, name: str, path: str, seen: dict[str, Any]) -> Any:
    def method(self: Any, X: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N803
        if path not in seen:
            seen[path] = first_rows(X, MOST_ROWS)
        return getattr(original, name)(self, X, *args, **kwargs)

    return method
