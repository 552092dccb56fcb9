"""What a call returned or raised, and whether two of them are equal in every bit."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse


def outcome(call: Callable[[Any], Any], rows: Any) -> Any:
    """Returns what the call returns, or its error as a text. Any error is compared."""
    try:
        with np.errstate(all="ignore"):
            return call(rows)
    except Exception as error:  # whatever scikit-learn raises, the fast one has to raise
        return f"{type(error).__name__}: {error}"


def difference(what: str, wanted: Any, found: Any, *, order: bool = False) -> Iterator[str]:
    """Yields a sentence if the two outcomes differ; with `order`, also if they lie in another order in memory."""
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from difference(f"{what}, output {index}", one, other, order=order)
        return
    if isinstance(wanted, str) or isinstance(found, str):
        if not (isinstance(wanted, str) and isinstance(found, str) and wanted == found):
            yield f"{what}: {_shown(wanted)}, accelerated {_shown(found)}."
        return
    if issparse(wanted) or issparse(found):
        yield from _sparse_difference(what, wanted, found)
        return
    one, other = np.asarray(wanted), np.asarray(found)
    if one.dtype != other.dtype or one.shape != other.shape:
        yield f"{what}: {one.dtype} {one.shape}, accelerated {other.dtype} {other.shape}."
        return
    if order and one.flags.c_contiguous != other.flags.c_contiguous:
        yield f"{what}: the cells lie in another order in memory."
    rows = np.flatnonzero(_differing_rows(one, other) if one.size else [])
    if len(rows):
        pair = f"{one[rows[0]]!r}, accelerated {other[rows[0]]!r}"
        yield f"{what}: {len(rows)} of {len(one)} rows differ, first row {rows[0]}: {pair}."


def _sparse_difference(what: str, wanted: Any, found: Any) -> Iterator[str]:
    """Compares two sparse matrices by what they consist of."""
    if type(wanted) is not type(found) or wanted.format != "csr" or wanted.shape != found.shape:
        yield f"{what}: {type(wanted).__name__}, accelerated {type(found).__name__}, or of another shape."
        return
    for part in ("indptr", "indices", "data"):
        yield from difference(f"{what}, {part}", getattr(wanted, part), getattr(found, part))


def _differing_rows(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    flat, other_flat = (array.reshape(len(array), -1) for array in (one, other))
    if one.dtype.kind == "O":
        both_missing = (flat != flat) & (other_flat != other_flat)  # noqa: PLR0124 - NaN is not equal to itself
        return np.asarray(((flat != other_flat) & ~both_missing).any(axis=1))
    bits, other_bits = (
        np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1) for array in (flat, other_flat)
    )
    return np.asarray((bits != other_bits).any(axis=1))


def _shown(found: Any) -> str:
    return f"error {found!r}" if isinstance(found, str) else "no error"
