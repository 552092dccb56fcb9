"""Leakage: features that know the target, or that only number the rows. Such a model looks better than it is."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.metrics import balanced_accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from rowcast.models.model_manifest import Feature
from training.fitting.column_kinds import number
from training.fitting.pipelines import SEED
from training.fitting.target import Target
from training.fitting.training_file import Cell

SUSPICIOUS = 0.98
"""From this balanced accuracy, or R², on, one feature predicts the target nearly perfectly."""

MIN_ROWS = 50
"""With fewer rows, one feature may predict them by chance."""

MAX_ROWS = 2_000
"""Rows that are tried, a random sample, so that hundreds of features take a second or two."""

FOLDS = 3

LEAVES = {"classification": 8, "regression": 64}
"""Maximum leaves of the tree of one feature. With many classes, it has at least two for each."""

_IS_IT_KNOWN = "If it is not known at the time of the prediction, leave it out with --features."


def leakage_notes(
    columns: Mapping[str, Sequence[Cell]], features: Sequence[Feature], table: pd.DataFrame, target: Target
) -> list[str]:
    """Returns a sentence for each feature that seems to know the target, or that only numbers the rows.

    `table` has the features as the pipeline gets them, one row for each value of the target.
    """
    if len(table) < MIN_ROWS:
        return []
    some = _sampled(len(table))
    notes = []
    for feature in features:
        cells = [columns[feature.name][row] for row in target.rows.tolist()]
        found = _note(feature, cells, table[feature.name].iloc[some], target, some)
        if found is not None:
            notes.append(f"The column {feature.name!r} {found}")
    return notes


def _sampled(rows: int) -> npt.NDArray[np.intp]:
    if rows <= MAX_ROWS:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SEED).choice(rows, MAX_ROWS, replace=False))


def _note(
    feature: Feature, cells: Sequence[Cell], column: "pd.Series[Any]", target: Target, some: npt.NDArray[np.intp]
) -> str | None:
    if _is_target(cells, target):
        return f"is the target under another name: each of its values stands for one of the target's. {_IS_IT_KNOWN}"
    score = _score(column, target.values[some], target)
    if score is not None and score >= SUSPICIOUS:
        metric = "balanced accuracy" if target.task == "classification" else "R²"
        return f"predicts the target without the other columns ({metric} {score:.3f}): is it leakage? {_IS_IT_KNOWN}"
    if _numbers_rows(feature, cells):
        return "has another value in each row, like a number or a name of the row. Leave it out with --features."
    return None


def _is_target(cells: Sequence[Cell], target: Target) -> bool:
    """Returns whether the cells and the target's values correspond one to one; amounts must be the same."""
    if None in cells:
        return False
    if target.task == "regression":
        return all(number(cell) == value for cell, value in zip(cells, target.values.tolist(), strict=True))
    pairs = set(zip(cells, target.values.tolist(), strict=True))
    return len(pairs) == len(set(cells)) == len(set(target.values.tolist()))


def _score(column: "pd.Series[Any]", values: npt.NDArray[Any], target: Target) -> float | None:
    """Returns how well a small tree of this column predicts rows that it has not seen; None if it cannot.

    The tree is first scored on its own rows, which is quick, and rules out nearly every column.
    """
    table = _as_numbers(column)
    labels: npt.NDArray[Any] = values
    if target.task == "classification":
        labels = np.unique(values, return_inverse=True)[1]
        if np.bincount(labels).min() < FOLDS:  # a class is too rare: leave its rows out
            common = np.bincount(labels)[labels] >= FOLDS
            table, labels = table[common], labels[common]
        if len(np.unique(labels)) < 2:
            return None
        leaves = max(LEAVES["classification"], 2 * len(np.unique(labels)))
        tree, folds, score = DecisionTreeClassifier, StratifiedKFold, balanced_accuracy_score
    else:
        leaves, tree, folds, score = LEAVES["regression"], DecisionTreeRegressor, KFold, r2_score
    one = tree(max_leaf_nodes=leaves, random_state=SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if score(labels, one.fit(table, labels).predict(table)) < SUSPICIOUS:
            return None
        seen_by_others = cross_val_predict(one, table, labels, cv=folds(FOLDS, shuffle=True, random_state=SEED))
        return float(score(labels, seen_by_others))


def _as_numbers(column: "pd.Series[Any]") -> npt.NDArray[np.float32]:
    """Returns the column in shape (rows, 1): text as numbers in alphabetical order, and NaN for a missing cell."""
    if column.dtype.kind in "fb":
        wide = column.to_numpy("float64")[:, None]
    else:
        wide = OrdinalEncoder(encoded_missing_value=np.nan).fit_transform(column.to_frame())
    limit = np.finfo("float32").max
    numbers: npt.NDArray[np.float32] = np.clip(wide, -limit, limit).astype("float32")
    return numbers


def _numbers_rows(feature: Feature, cells: Sequence[Cell]) -> bool:
    """Returns whether the cells are all different: text, or whole numbers without large gaps."""
    if None in cells or len(set(cells)) < len(cells):
        return False
    if feature.kind == "text":
        return True
    values = [value for cell in cells if (value := number(cell)) is not None]
    is_whole = len(values) == len(cells) and all(value.is_integer() for value in values)
    return is_whole and max(values) - min(values) < 2 * len(values)
