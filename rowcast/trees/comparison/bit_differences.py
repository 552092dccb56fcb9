"""Compares two models bit by bit."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.trees.comparison.edge_sample import edge_sample
from rowcast.trees.comparison.own_input import own_inputs
from rowcast.trees.families import Family, family_of
from rowcast.trees.fast_estimators import FastEstimator
from rowcast.trees.model_walk import replaced, tree_estimators
from rowcast.trees.taking import scores, sequential

EDGE_ROWS = 1_000
"""Rows that are made for each estimator."""

_METHODS = ("predict", "predict_proba", "decision_function", "score_samples")


def bit_differences(model: Any, accelerated: Any, sample: Any, seed: int) -> list[str]:
    """Returns what `rowcast.trees.differences` describes."""
    reference = replaced(model, lambda _path, estimator: sequential(estimator))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = list(_of_methods("model", reference, accelerated, sample, "the sample"))
        plain_ones = tree_estimators(reference)
        inputs = own_inputs(model, sample)
        for path, fast in tree_estimators(accelerated).items():
            if isinstance(fast, FastEstimator) and path in inputs:
                found += _of_estimator(path, plain_ones[path], fast, inputs[path], seed)
    return found


def _of_estimator(path: str, plain: Any, fast: Any, own: Any, seed: int) -> Iterator[str]:
    """Compares a fast estimator with scikit-learn's, on its own input and on rows made from it."""
    made = edge_sample(plain, own, EDGE_ROWS, seed)
    yield from _of_methods(path, plain, fast, own, "its own input")
    yield from _of_methods(path, plain, fast, made, "rows at thresholds")
    yield from _of_methods(path, plain, fast, made[:1], "one row")
    yield from _of_errors(path, plain, fast, made)
    family = family_of(plain)
    if family is not None:
        yield from _of_scores(path, plain, fast, made, family)


def _of_methods(path: str, plain: Any, fast: Any, rows: Any, where: str) -> Iterator[str]:
    for name in _METHODS:
        if hasattr(plain, name):
            wanted, found = _outcome(getattr(plain, name), rows), _outcome(getattr(fast, name), rows)
            yield from _difference(f"{path}.{name} on {where}", wanted, found)


def _of_errors(path: str, plain: Any, fast: Any, rows: Any) -> Iterator[str]:
    """Compares what happens with missing and infinite cells, which some estimators refuse, and with a column less."""
    for name, value in (("a missing cell", np.nan), ("infinity", np.inf), ("a number beyond float32", 1e300)):
        changed = _with_number(rows[:8], value)
        if changed is not None:
            yield from _difference(
                f"{path}.predict on {name}", _outcome(plain.predict, changed), _outcome(fast.predict, changed)
            )
    fewer = rows.iloc[:8, :-1] if hasattr(rows, "iloc") else rows[:8, :-1]
    yield from _difference(
        f"{path}.predict on fewer columns", _outcome(plain.predict, fewer), _outcome(fast.predict, fewer)
    )


def _with_number(rows: Any, value: float) -> Any:
    """Returns the rows with a number in the last row of a column of numbers; None if there is no such column."""
    if hasattr(rows, "iloc"):
        kinds = [kind.kind == "f" for kind in rows.dtypes]
        if not any(kinds):
            return None
        changed = rows.copy()
        changed.iloc[-1, kinds.index(True)] = value
        return changed
    if rows.dtype != np.float64:
        return None
    changed = rows.copy()
    changed[-1, 0] = value
    return changed


def _of_scores(path: str, plain: Any, fast: Any, rows: Any, family: Family) -> Iterator[str]:
    """Compares the sums before classes, losses and links."""
    try:
        cells = plain._preprocess_X(rows, reset=False) if hasattr(plain, "_preprocess_X") else np.asarray(rows)
        with np.errstate(over="ignore"):
            cells = cells.astype(family.cell_type)
    except (TypeError, ValueError):
        return
    yield from _difference(
        f"{path}: sums of the trees on rows at thresholds",
        _outcome(lambda x: scores(plain, family, x), cells),
        _outcome(lambda x: scores(fast, family, x), cells),
    )


def _outcome(call: Callable[[Any], Any], rows: Any) -> Any:
    """Returns what the call returns, or its error as a text. Any error is compared."""
    try:
        with np.errstate(all="ignore"):
            return call(rows)
    except Exception as error:  # whatever scikit-learn raises, the fast one has to raise
        return f"{type(error).__name__}: {error}"


def _difference(what: str, wanted: Any, found: Any) -> Iterator[str]:
    """Yields a sentence if the two outcomes differ."""
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from _difference(f"{what}, output {index}", one, other)
        return
    if isinstance(wanted, str) or isinstance(found, str):
        if not (isinstance(wanted, str) and isinstance(found, str) and wanted == found):
            yield f"{what}: {_shown(wanted)}, accelerated {_shown(found)}."
        return
    one, other = np.asarray(wanted), np.asarray(found)
    if one.dtype != other.dtype or one.shape != other.shape:
        yield f"{what}: {one.dtype} {one.shape}, accelerated {other.dtype} {other.shape}."
        return
    rows = np.flatnonzero(_differing_rows(one, other))
    if len(rows):
        pair = f"{one[rows[0]]!r}, accelerated {other[rows[0]]!r}"
        yield f"{what}: {len(rows)} of {len(one)} rows differ, first row {rows[0]}: {pair}."


def _differing_rows(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.bool_]:
    flat, other_flat = (array.reshape(len(array), -1) for array in (one, other))
    if one.dtype.kind == "O":
        return np.asarray((flat != other_flat).any(axis=1))
    bits, other_bits = (
        np.ascontiguousarray(array).view(np.uint8).reshape(len(array), -1) for array in (flat, other_flat)
    )
    return np.asarray((bits != other_bits).any(axis=1))


def _shown(outcome: Any) -> str:
    return f"error {outcome!r}" if isinstance(outcome, str) else "no error"
