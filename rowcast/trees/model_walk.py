"""Finds the tree estimators in a model, and makes copies of models in which they are replaced."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from rowcast.trees.families import is_tree_estimator
from rowcast.trees.shallow_copy import shallow_copy

Replacement = Callable[[str, Any], Any]
"""Takes the path of a tree estimator and the estimator; returns what is to stand in its place."""


def replaced(model: Any, replacement: Replacement) -> Any:
    """Returns the model with its tree estimators replaced.

    Objects that hold no replaced estimator are shared with the given model, which is not changed. An estimator that is
    held in several places is replaced by the same object everywhere.
    """
    return _Walk(replacement).visit(model, "model")


def tree_estimators(model: Any) -> dict[str, Any]:
    """Returns the tree estimators in the model by their paths."""
    found: dict[str, Any] = {}

    def note(path: str, estimator: Any) -> Any:
        found[path] = estimator
        return estimator

    replaced(model, note)
    return found


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
            found = self._replacement(path, value)
        elif _may_hold_estimators(value):
            self._done[id(value)] = value  # until it is known, for objects that hold each other
            found = self._visit_parts(value, path)
        else:
            return value
        self._kept.append(value)
        self._done[id(value)] = found
        return found

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
