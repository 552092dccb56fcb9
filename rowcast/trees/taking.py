"""Takes an estimator: builds its tables and tries them on rows made from its thresholds, or says why not."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from rowcast.trees.comparison.edge_cells import CellLimits, edge_matrix
from rowcast.trees.estimator_note import EstimatorNote
from rowcast.trees.evaluation.ensemble import Declined, Ensemble
from rowcast.trees.families import Family, family_of, library_of
from rowcast.trees.fast_copies import plain
from rowcast.trees.fast_estimators import FastEstimator, fast_copy
from rowcast.trees.shallow_copy import shallow_copy

TRIAL_ROWS = 192
"""Rows on which a new estimator's bits are compared before it is used."""


@dataclass(frozen=True)
class Taken:
    """What became of an estimator."""

    #: The fast one, or the given one if it was not taken.
    estimator: Any
    #: What is said of it.
    note: EstimatorNote


def is_fitted(estimator: Any) -> bool:
    """Returns whether the estimator was fitted. Estimators that others only clone are not."""
    try:
        check_is_fitted(estimator)
    except (NotFittedError, TypeError, AttributeError):
        return False
    return True


def take(path: str, estimator: Any) -> Taken:
    """Returns a fast estimator in place of the given one, or the given one with the reason why it was not taken."""
    name = type(estimator).__name__
    if isinstance(estimator, FastEstimator) and estimator.current_trees() is not None:
        return Taken(estimator, EstimatorNote(path, name, taken=True))
    try:
        fast = _fast(plain(estimator))
    except Declined as declined:
        return Taken(estimator, EstimatorNote(path, name, taken=False, reason=str(declined)))
    return Taken(fast, EstimatorNote(path, name, taken=True))


def sequential(estimator: Any) -> Any:
    """Returns a copy that adds up its trees in their order, and takes arrays without names; it is not a fast one."""
    copied = shallow_copy(plain(estimator))
    if "n_jobs" in vars(copied):
        copied.n_jobs = None
    return copied


def cell_limits(estimator: Any, family: Family) -> CellLimits:
    """Returns which cells the estimator's `predict` takes. HistGradientBoosting takes all; of others it is tried."""
    if family.cell_type is np.float64:
        return CellLimits(double=True, missing=True)
    row = np.full((1, estimator.n_features_in_), np.nan)
    try:
        _without_names(estimator).predict(row)
    except ValueError:
        return CellLimits(double=False, missing=False)
    return CellLimits(double=False, missing=True)


def _fast(estimator: Any) -> Any:
    """Returns the fast estimator.

    Raises:
        Declined: the estimator is not one that can be taken.
    """
    family = family_of(estimator)
    if family is None:
        raise Declined(_why_not_its_class(estimator))
    if not is_fitted(estimator):
        raise Declined("It is not fitted.")
    if getattr(estimator, "n_outputs_", 1) != 1 and hasattr(estimator, "tree_"):
        raise Declined("A single tree with several outputs is left to scikit-learn.")
    try:
        trees = family.read(estimator)
        fast = fast_copy(estimator, family.mixin, family.build(trees), trees.columns)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise Declined(f"Its trees could not be read ({type(error).__name__}: {error}).") from error
    _require_same_bits(estimator, fast, family, trees)
    return fast


def _why_not_its_class(estimator: Any) -> str:
    library = library_of(estimator)
    if library:
        return f"{library} adds up its leaves in another order and precision, so it predicts itself."
    for kind in type(estimator).__mro__[1:]:
        if kind.__module__.startswith("sklearn.") and "Base" not in kind.__name__:
            return f"It is a subclass of {kind.__name__}, which may predict in another way."
    return "Estimators of this class are not taken."


def _require_same_bits(estimator: Any, fast: Any, family: Family, trees: Ensemble) -> None:
    """Compares the sums on rows made from the thresholds.

    Raises:
        Declined: a bit differs, as it may with another version of scikit-learn or another processor.
    """
    limits = cell_limits(estimator, family)
    random = np.random.default_rng(0)
    cells = edge_matrix(estimator.n_features_in_, TRIAL_ROWS, trees.thresholds(), limits, random)
    if trees.goes_right is not None and estimator.is_categorical_ is not None:
        columns = np.arange(np.count_nonzero(estimator.is_categorical_))
        codes = random.integers(-1, 255, (TRIAL_ROWS, len(columns))).astype(np.float64)
        cells[:, columns] = np.where(random.random(codes.shape) < 0.1, np.nan, codes % 32)
    with np.errstate(over="ignore"):
        cells = cells.astype(family.cell_type)
    own = scores(sequential(estimator), family, cells)
    different = np.count_nonzero((_bits(own) != _bits(scores(fast, family, cells))).any(axis=1))
    if different:
        raise Declined(f"Its sums differ from scikit-learn's in {different} of {TRIAL_ROWS} rows on this machine.")


def scores(estimator: Any, family: Family, cells: NDArray[Any]) -> NDArray[np.float64]:
    """Returns the family's scores of cells, without a warning that they have no names."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return family.scores(_without_names(estimator), cells)


def _without_names(estimator: Any) -> Any:
    if not hasattr(estimator, "feature_names_in_"):
        return estimator
    copied = shallow_copy(estimator)
    del copied.feature_names_in_
    return copied


def _bits(numbers: NDArray[np.float64]) -> NDArray[np.uint64]:
    return np.ascontiguousarray(numbers, np.float64).reshape(len(numbers), -1).view(np.uint64)
