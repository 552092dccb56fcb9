"""The held-out rows: which they are, and how a pipeline that was fitted to the others predicts them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline

from rowcast.errors import Unprocessable
from rowcast.wording.quantity import counted
from training.findings import Say, silent
from training.fitting.fit import fit
from training.fitting.metrics import HELD_OUT, measure, split
from training.fitting.target import Target
from training.thresholds import best_threshold

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True)
class HeldOut:
    """A pipeline that was fitted to some rows, and the other rows, which it has not seen."""

    pipeline: Pipeline
    rows: pd.DataFrame
    #: The true values of these rows.
    values: npt.NDArray[Any]
    metrics: dict[str, float]
    #: The best threshold for these rows; None if the model has not two classes with probabilities.
    threshold: float | None
    #: How many rows were held out, including those that could not be measured.
    count: int


def split_rows(table: pd.DataFrame, target: Target, order: Positions | None) -> tuple[Positions, Positions]:
    """Returns the positions of the rows to fit on, and of those to hold out.

    With an `order` in time, the newest fifth is held out, and the others are returned with the oldest first.

    Raises:
        Unprocessable: the older rows have only one class.
    """
    if order is None:
        return split(table, target)
    older, newer = train_test_split(order, test_size=HELD_OUT, shuffle=False)
    if target.task == "classification" and len(set(target.values[older].tolist())) == 1:
        raise Unprocessable.at(
            "time",
            f"the oldest {counted(len(older), 'row')}, which are fitted to, have only the class "
            f"{target.values[older].tolist()[0]!r}",
        )
    return older, newer


def measure_held_out(
    pipeline: Pipeline, rows: pd.DataFrame, target: Target, parts: tuple[Positions, Positions], say: Say
) -> HeldOut:
    """Fits the pipeline to the first part of the rows, and measures it on the second."""
    fitted_on, positions = parts
    # What the libraries warn of here they say again, of all rows, in the fit that counts.
    fitted = fit(pipeline, rows.iloc[fitted_on], target.values[fitted_on], silent)
    known = known_rows(fitted, target.values[positions])
    if not known.all():
        say(f"{counted(int((~known).sum()), 'held-out row')} not measured: the other rows have no such class.")
    held_out = positions[known]
    if not len(held_out):
        raise Unprocessable.at("time", "no class of the newest rows is in the older ones")
    values = target.values[held_out]
    metrics = measure(fitted, rows.iloc[held_out], values)
    shown = ", ".join(f"{metric} {value:.4g}" for metric, value in metrics.items())
    say(f"Metrics on {len(held_out):,} held-out rows: {shown}.")
    best = best_threshold(fitted, rows.iloc[held_out], values)
    if best is not None:
        accuracy = f"balanced_accuracy {best.balanced_accuracy:.4g} on these rows"
        say(f"threshold=auto stands for {best.threshold:.4g}, with {accuracy}.")
    threshold = None if best is None else best.threshold
    return HeldOut(fitted, rows.iloc[held_out], values, metrics, threshold, len(positions))


def known_rows(fitted: Any, values: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Returns for each value whether the fitted estimator knows it as a class; a regressor knows all."""
    if not hasattr(fitted, "classes_"):
        return np.ones(len(values), dtype=bool)
    known = set(fitted.classes_.tolist())
    return np.array([value in known for value in values.tolist()], dtype=bool)
