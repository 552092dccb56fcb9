"""A copy of an object that shares everything with it, made without its constructor."""

from typing import Any


def shallow_copy(value: Any, kind: Any = None) -> Any:
    """Returns a copy, of another class if `kind` is given. It does not call `__copy__` or `__reduce__`."""
    copied = object.__new__(kind or type(value))
    vars(copied).update(vars(value))
    return copied
