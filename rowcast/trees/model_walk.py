"""Finds the parts of a model that may be replaced (trees, encoders), and makes copies in which they are."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from rowcast.trees.distinct.cellwise_steps import encoder_of
from rowcast.trees.families import is_tree_estimator
from rowcast.trees.shallow_copy import shallow_copy

Replacement = Callable[[str, Any], Any]
"""Takes the path of a part and the part; returns what is to stand in its place."""


def replaced(model: Any, replacement: Replacement) -> Any:
    """Returns the model with its tree estimators and its transformers with an encoder replaced.

    Objects that hold no replaced part are shared with the given model, which is not changed. A part that is held in
    several places is replaced by the same object everywhere.
    """
    return _Walk(replacement).visit(model, "model")


def replaceable_parts(model: Any) -> dict[str, Any]:
    """Returns the tree estimators, and the transformers with an encoder, in the model by their paths."""
    found: dict[str, Any] = {}

    def note(path: str, part: Any) -> Any:
        found[path] = part
        return part

    replaced(model, note)
    return found


def tree_estimators(model: Any) -> dict[str, Any]:
    """Returns the tree estimators in the model by their paths."""
    return {path: part for path, part in replaceable_parts(model).items() if is_tree_estimator(part)}


PREPROCESSOR = "_preprocessor"
"""The attribute in which HistGradientBoosting keeps its encoder of categories."""


class _Walk:
    """One way through a model."""

    def __init__(self, replacement: Replacement) -> None:
        self._replacement = replacement
        self._done: dict[int, Any] = {}
        self._kept: list[Any] = []  # keeps every visited object alive, so that ids stay unique

    def visit(self, value: Any, path: str) -> Any:
        """Returns the value, or a copy of it if something in it was replaced."""
        if id(value) in self._done:
            return self._done[id(value)]
        if is_tree_estimator(value):
            found = self._with_preprocessor(self._replacement(path, value), value, path)
        elif encoder_of(value) is not None:
            found = self._replacement(path, value)
        elif _may_hold_estimators(value):
            self._done[id(value)] = value  # until it is known, for objects that hold each other
            found = self._visit_parts(value, path)
        else:
            return value
        self._kept.append(value)
        self._done[id(value)] = found
        return found

    def _with_preprocessor(self, found: Any, estimator: Any, path: str) -> Any:
        """Returns the replacement with the steps replaced with which HistGradientBoosting encodes categories."""
        own = vars(estimator).get(PREPROCESSOR)
        if own is None or PREPROCESSOR not in vars(found):
            return found
        visited = self.visit(own, f"{path}.{PREPROCESSOR}")
        return found if visited is own else _with_parts(found, {PREPROCESSOR: visited})

    def _visit_parts(self, value: Any, path: str) -> Any:
        changed = {}
        for key, part, part_path in _parts(value, path):
            found = self.visit(part, part_path)
            if found is not part:
                changed[key] = found
        return _with_parts(value, changed) if changed else value


def _may_hold_estimators(value: Any) -> bool:
    """Returns whether the value is a container, an object of scikit-learn, or another object with `predict`."""
    if isinstance(value, np.ndarray):
        return value.dtype == object and value.ndim == 1
    if isinstance(value, list | dict) or type(value) is tuple:
        return True
    if isinstance(value, type) or not hasattr(value, "__dict__"):
        return False
    of_sklearn = isinstance(value, BaseEstimator) or type(value).__module__.partition(".")[0] == "sklearn"
    return of_sklearn or hasattr(value, "predict")


def _parts(value: Any, path: str) -> Iterator[tuple[Any, Any, str]]:
    """Returns key, part and path of each part of a value that may hold estimators."""
    if isinstance(value, dict):
        yield from ((key, part, f"{path}[{key!r}]") for key, part in value.items())
    elif isinstance(value, list | tuple | np.ndarray):
        yield from ((index, part, f"{path}[{index}]") for index, part in enumerate(value))
    else:
        yield from ((name, part, f"{path}.{name}") for name, part in vars(value).items())


def _with_parts(value: Any, changed: dict[Any, Any]) -> Any:
    """Returns a copy of the value with some parts changed."""
    if type(value) is tuple:
        return tuple(changed.get(index, part) for index, part in enumerate(value))
    if isinstance(value, dict | list | np.ndarray):
        copied = copy.copy(value)
        for key, part in changed.items():
            copied[key] = part
        return copied
    copied = shallow_copy(value)
    vars(copied).update(changed)
    return copied
