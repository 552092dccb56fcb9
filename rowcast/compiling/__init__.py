"""How functions are compiled: once, for given types, and kept on disk."""

from collections.abc import Callable
from typing import Any

from numba import njit, types


def table(kind: Any, dimensions: int) -> Any:
    """Returns numba's type of an array in C order that is only read. Writable arrays are taken, too."""
    return types.Array(kind, dimensions, "C", readonly=True)


def compiled(signature: Any) -> Callable[[Any], Any]:
    """Returns a decorator that compiles a function when its module is imported, or loads it from numba's cache.

    The types are fixed, so that no later call compiles again. `fastmath` stays off: it would change the order of
    sums. A function starts no threads, so a process may be
    forked after it; other threads run meanwhile.
    """
    options: Any = {"nogil": True, "error_model": "numpy"}

    def decorate(function: Any) -> Any:
        try:
            return njit(signature, cache=True, **options)(function)
        except RuntimeError:  # no folder can be written; `NUMBA_CACHE_DIR` names one
            return njit(signature, **options)(function)

    return decorate
