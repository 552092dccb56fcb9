"""The golden rows: about fifty of the sample, with each class, the extremes, and each feature's missing value."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.golden_sample import GoldenSample, make_golden
from training.rehearsal.trial import Rehearsal
from training.sample.sample import written

_ROWS = 50
"""Number of rows, if no feature may be missing. Rows with gaps replace those that add no class or extreme."""

GAP_ROWS = 40
"""Maximum rows with gaps. If more features may be missing, several are missing in one row."""

_MAX_CLASSES = 20
_MAX_OUTPUTS = 5
_MAX_EXTREMES = 10


def golden_sample(rehearsal: Rehearsal, model: LoadedModel) -> GoldenSample:
    """Chooses the rows, and predicts them with the model in the form that a worker has."""
    script, trial = rehearsal.script, rehearsal.trials[0]
    features = rehearsal.draft.table_features
    names = [feature.name for feature in features]
    frame, cells = rehearsal.frame(), rehearsal.sample.cells[names]
    na_texts = script.dialect.na_texts()
    groups = list(gap_groups([feature.name for feature in features if feature.missing])) if na_texts else []
    places = _chosen(frame, trial.answers["predict"], _ROWS - len(groups))
    fullest = cells.iloc[[trial.rows[int(frame.isna().sum(axis=1).to_numpy().argmin())]]]
    rows = [cells.iloc[[trial.rows[place] for place in places]]]
    rows += [fullest.assign(**dict.fromkeys(group, na_texts[0])) for group in groups]
    data = written(pd.concat(rows, ignore_index=True), script.dialect).partition(b"\n")[2]
    return make_golden(model, tuple(names), data, script.dialect.delimiter, script.dialect.decimal)


def gap_groups(optional: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yields for each of at most `GAP_ROWS` rows the features that are missing in it: each feature is missing once.

    Neighbours are missing in different rows, because one-hot columns and the like are often neighbours.
    """
    for row in range(min(len(optional), GAP_ROWS)):
        yield optional[row::GAP_ROWS]


def _chosen(frame: pd.DataFrame, predicted: Any, max_rows: int) -> list[int]:
    """Returns positions: rows with the first of each class or extreme predictions, extremes of features, first rows.

    There are `max_rows` of them, or more if there are more classes and extremes.
    """
    chosen: list[int] = []
    for output in [predicted] if predicted.ndim == 1 else predicted.T[:_MAX_OUTPUTS]:
        if output.dtype.kind in "fiu":
            chosen += [int(np.nanargmin(output)), int(np.nanargmax(output))] if np.isfinite(output).any() else []
        chosen += np.sort(np.unique(output.astype("str"), return_index=True)[1])[:_MAX_CLASSES].tolist()
    for name in frame.columns[:_MAX_EXTREMES]:
        column = frame[name]
        if column.dtype.kind in "fi" and column.notna().any():
            values = column.to_numpy(dtype="float64")
            chosen += [int(np.nanargmin(values)), int(np.nanargmax(values))]
    chosen = list(dict.fromkeys(chosen))[:_ROWS]
    others = dict.fromkeys([*chosen, *range(min(_ROWS, len(frame)))])
    return sorted(list(others)[: max(max_rows, len(chosen))])
