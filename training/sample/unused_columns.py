"""Unused columns: the features that a model does not use, though it was fitted with them."""

from typing import Any

import pandas as pd

from training.rehearsal.compare import difference
from training.rehearsal.users_script import Script


def unused_features(script: Script, frame: pd.DataFrame) -> set[str]:
    """Returns the features that the model's ColumnTransformer drops, if the script predicts the same without them."""
    if script.container != "frame":
        return set()
    used = _used(script.estimator)
    if used is None:
        return set()
    unused = set(script.features) - used
    if not unused or unused == set(script.features):
        return set()
    try:
        without = script.answers(frame.drop(columns=list(unused)))
    except Exception:  # for example another step uses the columns
        return set()
    return set() if difference(script.answers(frame), without) else unused


def _used(estimator: Any) -> set[str] | None:
    """Returns the names that the first step, a ColumnTransformer, passes on; None if there is no such step."""
    first = estimator.steps[0][1] if hasattr(estimator, "steps") else estimator
    transformers = getattr(first, "transformers_", None)
    names = getattr(first, "feature_names_in_", None)
    if transformers is None or names is None:
        return None
    used: set[str] = set()
    for _, transformer, columns in transformers:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        used |= {str(name) for name in _names(columns, names)}
    return used


def _names(columns: Any, names: Any) -> list[Any]:
    """Returns the names that a ColumnTransformer's `columns` mean: names, positions, a mask or a slice."""
    if isinstance(columns, str):
        return [columns]
    if isinstance(columns, int):
        return [names[columns]]
    if isinstance(columns, slice):
        is_of_names = isinstance(columns.start, str) or isinstance(columns.stop, str)
        return list(pd.Series(names, index=names).loc[columns]) if is_of_names else list(names[columns])
    listed = list(columns)
    if listed and isinstance(listed[0], str):
        return listed
    return list(names[listed]) if listed else []
