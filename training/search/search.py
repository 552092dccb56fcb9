"""The search: successive halving over families of estimators and their parameters, by scikit-learn."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, log
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 (the import is what enables it)
from sklearn.model_selection import HalvingGridSearchCV, ParameterGrid
from sklearn.pipeline import Pipeline

from rowcast.errors import Unprocessable
from training.findings import silent
from training.fitting.cross_validation import fold_metrics
from training.fitting.fit import fit
from training.fitting.learner import Learner
from training.fitting.pipelines import SEED
from training.search.grids import grid_of

FACTOR = 3
"""Each round keeps a third of the candidates, and gives them three times as many rows."""

FOLDS = 3

MAX_ROWS = 20_000
"""Maximum rows that the last round uses, so that a large file does not take hours."""

MIN_ROWS = 60
"""Minimum rows of the first round, if there are as many."""

SHOWN = 5

_STEP = "model"


@dataclass(frozen=True)
class Candidate:
    """A learner that was tried, with the result of the last round in which it took part."""

    learner: Learner
    #: The metric that the search goes by, the mean over the folds.
    score: float
    #: How many rows that round used.
    rows: int

    def __str__(self) -> str:
        """Returns it for people, for example `random_forest: max_features 0.7, min_samples_leaf 3`."""
        return f"{self.learner.estimator}: {shown(self.learner.parameters)}"


@dataclass(frozen=True)
class Searched:
    """What a search found: the candidates, the best one first."""

    candidates: Sequence[Candidate]
    #: The metric that the search goes by.
    metric: str
    rounds: int

    @property
    def best(self) -> Candidate:
        """The candidate that is chosen."""
        return self.candidates[0]

    def __str__(self) -> str:
        """Returns what was searched, in words."""
        families = ", ".join(dict.fromkeys(sorted(one.learner.estimator for one in self.candidates)))
        return (
            f"{len(self.candidates)} candidates of {families} in {self.rounds} rounds of successive halving, "
            f"by {self.metric}"
        )

    def table(self) -> Iterator[str]:
        """Yields lines with the best candidates."""
        yield f"The best of {self}:"
        for place, one in enumerate(self.candidates[:SHOWN], 1):
            yield f"  {place}. {self.metric} {one.score:.4g} on {one.rows:,} rows. {one}"


def shown(parameters: Mapping[str, Any]) -> str:
    """Returns parameters for people, for example `C 0.1`."""
    return ", ".join(
        f"{name} {f'{value:.4g}' if isinstance(value, float) else value}" for name, value in parameters.items()
    )


def search(
    learners: Sequence[Learner],
    rows: pd.DataFrame,
    values: npt.NDArray[Any],
    splitter: Any,
    progress: Callable[[str, int, int], None],
) -> Searched:
    """Tries the grid of each learner on these rows, and returns the candidates, the best one first.

    Args:
        learners: One for each family.
        rows: The rows to learn from, without those that are held out. With times, the oldest first.
        values: Their targets.
        splitter: scikit-learn's splitter for `FOLDS` folds.
        progress: Gets how many fits are done.

    Raises:
        Unprocessable: no candidate can be fitted.
    """
    grids = [_with_pipeline(learner) for learner in learners]
    most = min(len(rows), MAX_ROWS)
    fewest = min(most, max(MIN_ROWS, most // FACTOR**2))
    sizes = rounds(len(ParameterGrid(grids)), fewest, most)
    metric = _metric(learners[0])
    halving = HalvingGridSearchCV(
        Pipeline([(_STEP, grids[0][_STEP][0])]),
        grids,
        factor=FACTOR,
        min_resources=fewest,
        max_resources=most,
        cv=splitter,
        scoring=_Scorer(metric, sum(sizes) * FOLDS, progress),
        refit=False,
        return_train_score=False,
        random_state=SEED,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the chosen pipeline's warnings come again when it is fitted to all rows
        try:
            halving.fit(rows, values)
        except ValueError as error:
            raise Unprocessable.at("search", f"no candidate can be fitted to these rows: {error}") from error
    candidates = _candidates(halving.cv_results_, learners)
    if not candidates:
        fit(learners[0].pipeline(), rows, values, silent)  # says what is wrong, if it is the rows
        raise Unprocessable.at("search", "there are too few rows, or too few of each class, to compare candidates")
    return Searched(candidates, metric, len(sizes))


def _with_pipeline(learner: Learner) -> dict[str, Any]:
    """Returns the grid of a learner as parameters of a pipeline whose only step is the learner's pipeline."""
    pipeline = learner.pipeline()
    last = pipeline.steps[-1][0]
    return {_STEP: [pipeline], **{f"{_STEP}__{last}__{name}": list(tried) for name, tried in grid_of(learner).items()}}


def rounds(candidates: int, fewest_rows: int, most_rows: int) -> list[int]:
    """Returns how many candidates each round of scikit-learn's successive halving has."""
    needed = 1 + floor(log(candidates, FACTOR))
    possible = 1 + floor(log(most_rows // fewest_rows, FACTOR))
    sizes = [candidates]
    for _ in range(min(needed, possible) - 1):
        sizes.append(ceil(sizes[-1] / FACTOR))
    return sizes


def _metric(learner: Learner) -> str:
    if learner.task == "regression":
        return "rmse"
    return "log_loss" if learner.class_weight is None else "balanced_accuracy"


class _Scorer:
    """A scorer of scikit-learn by one of our metrics, which counts the fits."""

    def __init__(self, metric: str, fits: int, progress: Callable[[str, int, int], None]) -> None:
        self._metric = metric
        self._fits = fits
        self._progress = progress
        self._done = 0

    def __call__(self, estimator: Any, table: pd.DataFrame, values: npt.NDArray[Any]) -> float:
        """Returns the metric, which is the larger the better: losses and errors are negative."""
        self._done += 1
        self._progress("Searching", self._done, self._fits)
        found = fold_metrics(estimator, table, values)[self._metric]
        return found if self._metric == "balanced_accuracy" else -found


def _candidates(results: Mapping[str, Any], learners: Sequence[Learner]) -> list[Candidate]:
    """Returns the candidates that could be fitted, ordered by their last round, and then by score."""
    by_class = {type(learner.pipeline()[-1]): learner for learner in learners}
    best: dict[str, tuple[int, float, Candidate]] = {}
    for place, parameters in enumerate(results["params"]):
        score = float(results["mean_test_score"][place])
        if np.isnan(score):
            continue
        learner = by_class[type(parameters[_STEP][-1])]
        own = {name.split("__")[-1]: value for name, value in parameters.items() if name != _STEP}
        candidate = Candidate(replace(learner, parameters=own), abs(score), int(results["n_resources"][place]))
        best[str(candidate)] = (int(results["iter"][place]), score, candidate)
    return [found[-1] for found in sorted(best.values(), key=lambda found: found[:2], reverse=True)]
