"""Cross-validation: the metrics of a pipeline over several folds, with intervals."""

import warnings
from math import inf
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit, cross_validate
from sklearn.pipeline import Pipeline

from rowcast.errors import Unprocessable
from rowcast.models.facts.fold_metrics import CrossValidation, Interval
from rowcast.wording.quantity import counted
from training.findings import Say
from training.fitting.held_out import Positions, known_rows
from training.fitting.metrics import measure
from training.fitting.pipelines import SEED
from training.fitting.target import Target, Task

LEVEL = 0.95

RANGES = {
    "accuracy": (0.0, 1.0),
    "balanced_accuracy": (0.0, 1.0),
    "log_loss": (0.0, inf),
    "roc_auc": (0.0, 1.0),
    "mae": (0.0, inf),
    "rmse": (0.0, inf),
    "r2": (-inf, 1.0),
}
"""Every metric with the values that it can have. An interval is cut to them."""

CAVEAT = (
    "The intervals are t-intervals over the folds. Folds share most of their training rows, so the true uncertainty "
    "is somewhat larger."
)


def folds(count: int, task: Task, order: Positions | None) -> Any:
    """Returns scikit-learn's splitter: in proportion to the classes, at random, or in an order, never looking ahead."""
    if order is not None:
        return TimeSeriesSplit(count)
    kind = StratifiedKFold if task == "classification" else KFold
    return kind(count, shuffle=True, random_state=SEED)


def cross_validated(
    pipeline: Pipeline, rows: pd.DataFrame, target: Target, *, count: int, order: Positions | None, say: Say
) -> CrossValidation:
    """Fits the pipeline once for each fold, and measures it on the rows that the fold leaves out.

    Raises:
        Unprocessable: there are too few rows, or the estimator does not accept those of a fold.
    """
    if count >= len(rows):
        raise Unprocessable.at("cross_validate", f"{counted(len(rows), 'row')} cannot be split into {count} folds")
    used = np.arange(len(rows)) if order is None else order
    splitter = folds(count, target.task, order)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they come again in the fit to all rows
        try:
            found = cross_validate(
                pipeline, rows.iloc[used], target.values[used], cv=splitter, scoring=fold_metrics, error_score="raise"
            )
        except ValueError as error:
            raise Unprocessable.at(
                "cross_validate", f"the estimator cannot be fitted to the rows of each of {count} folds: {error}"
            ) from error
    metrics = {
        name: interval(name, found[f"test_{name}"]) for name in RANGES if not np.isnan(found[f"test_{name}"]).any()
    }
    shown = ", ".join(f"{name} {one}" for name, one in metrics.items())
    say(f"Cross-validation in {count} folds, mean and {LEVEL * 100:.0f} % interval: {shown}. {CAVEAT}")
    return CrossValidation(folds=count, method=type(splitter).__name__, metrics=metrics)


def fold_metrics(estimator: Any, table: pd.DataFrame, values: npt.NDArray[Any]) -> dict[str, float]:
    """Returns all metrics on these rows, NaN for those that they do not allow, as a scorer of scikit-learn.

    Rows of a class that the estimator does not know are left out.
    """
    known = known_rows(estimator, values)
    measured = measure(estimator, table[known], values[known]) if known.any() else {}
    return dict.fromkeys(RANGES, float("nan")) | measured


def interval(name: str, values: npt.NDArray[np.float64]) -> Interval:
    """Returns mean and t-interval of a metric that was measured once for each fold."""
    mean, error = float(np.mean(values)), float(stats.sem(values))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    lowest, highest = RANGES[name]
    return Interval(mean=mean, low=max(lowest, mean - reach), high=min(highest, mean + reach))
