"""The golden rows: some fifty of the sample that cover each class, the extremes, and each feature's missing value."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.golden_sample import GoldenSample, make_golden
from training.rehearsal.trial import Rehearsal
from training.sample.sample import written

_ROWS = 50
"""Rows of the sample, if no feature may be missing. Rows with gaps take the places of those that cover nothing."""

GAP_ROWS = 40
"""Most rows with gaps. If more features may be missing, several are missing in one row."""

_MOST_CLASSES = 20
_MOST_OUTPUTS = 5
_MOST_EXTREMES = 10


def golden_sample(rehearsal: Rehearsal, model: LoadedModel) -> GoldenSample:
    """Chooses the rows and predicts them with the model as a worker has it."""
    script, trial = rehearsal.script, rehearsal.trials[0]
    features = rehearsal.draft.table_features
    names = [feature.name for feature in features]
    frame, cells = script.read(trial.data), rehearsal.sample.cells[names]
    na_texts = script.dialect.na_texts()
    groups = list(gap_groups([feature.name for feature in features if feature.missing])) if na_texts else []
    places = _chosen(frame, trial.answers["predict"], _ROWS - len(groups))
    fullest = cells.iloc[[trial.rows[int(frame.isna().sum(axis=1).to_numpy().argmin())]]]
    rows = [cells.iloc[[trial.rows[place] for place in places]]]
    rows += [fullest.assign(**dict.fromkeys(group, na_texts[0])) for group in groups]
    data = written(pd.concat(rows, ignore_index=True), script.dialect).partition(b"\n")[2]
    return make_golden(model, tuple(names), data, script.dialect.delimiter, script.dialect.decimal)


def gap_groups(optional: Sequence[str]) -> Iterator[Sequence[str]]:
    """The features that are missing in one row, for at most `GAP_ROWS` rows: together they cover every feature once.

    Features that are neighbours are in different rows: one-hot columns and the like often stand side by side.
    """
    for row in range(min(len(optional), GAP_ROWS)):
        yield optional[row::GAP_ROWS]


def _chosen(frame: pd.DataFrame, predicted: Any, most: int) -> list[int]:
    """Positions: the first row of each class or the extreme predictions, extremes of features, then the first rows.

    There are `most` of them, or more if classes and extremes are more.
    """
    chosen: list[int] = []
    for output in [predicted] if predicted.ndim == 1 else predicted.T[:_MOST_OUTPUTS]:
        if output.dtype.kind in "fiu":
            chosen += [int(np.nanargmin(output)), int(np.nanargmax(output))] if np.isfinite(output).any() else []
        chosen += np.sort(np.unique(output.astype("str"), return_index=True)[1])[:_MOST_CLASSES].tolist()
    for name in frame.columns[:_MOST_EXTREMES]:
        column = frame[name]
        if column.dtype.kind in "fi" and column.notna().any():
            values = column.to_numpy(dtype="float64")
            chosen += [int(np.nanargmin(values)), int(np.nanargmax(values))]
    chosen = list(dict.fromkeys(chosen))[:_ROWS]
    others = dict.fromkeys([*chosen, *range(min(_ROWS, len(frame)))])
    return sorted(list(others)[: max(most, len(chosen))])
