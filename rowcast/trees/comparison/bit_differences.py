"""Compares two models bit by bit."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from rowcast.trees.comparison.edge_sample import edge_sample
from rowcast.trees.comparison.outcome import difference, outcome
from rowcast.trees.comparison.own_input import own_inputs
from rowcast.trees.distinct.fast_transformers import FastTransformer
from rowcast.trees.distinct.transformer_taking import transformer_differences
from rowcast.trees.families import Family, family_of
from rowcast.trees.fast_estimators import FastEstimator
from rowcast.trees.model_walk import replaceable_parts, replaced
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
        plain_ones = replaceable_parts(reference)
        inputs = own_inputs(model, sample)
        for path, fast in replaceable_parts(accelerated).items():
            if isinstance(fast, FastEstimator) and path in inputs:
                found += _of_estimator(path, plain_ones[path], fast, inputs[path], seed)
            elif isinstance(fast, FastTransformer) and path in inputs:
                found += transformer_differences(path, plain_ones[path], fast, inputs[path], seed)
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
            wanted, found = outcome(getattr(plain, name), rows), outcome(getattr(fast, name), rows)
            yield from difference(f"{path}.{name} on {where}", wanted, found)


def _of_errors(path: str, plain: Any, fast: Any, rows: Any) -> Iterator[str]:
    """Compares what happens with missing and infinite cells, which some estimators refuse, and with a column less."""
    for name, value in (("a missing cell", np.nan), ("infinity", np.inf), ("a number beyond float32", 1e300)):
        changed = _with_number(rows[:8], value)
        if changed is not None:
            yield from difference(
                f"{path}.predict on {name}", outcome(plain.predict, changed), outcome(fast.predict, changed)
            )
    fewer = rows.iloc[:8, :-1] if hasattr(rows, "iloc") else rows[:8, :-1]
    yield from difference(
        f"{path}.predict on fewer columns", outcome(plain.predict, fewer), outcome(fast.predict, fewer)
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
    yield from difference(
        f"{path}: sums of the trees on rows at thresholds",
        outcome(lambda x: scores(plain, family, x), cells),
        outcome(lambda x: scores(fast, family, x), cells),
    )
