"""The golden rows: some fifty of the sample that cover each class, the extremes, and each feature's missing value."""

from typing import Any

import numpy as np
import pandas as pd

from rowcast.models.load import LoadedModel
from rowcast.scoring.golden import GoldenSample, make_golden
from training.sample import written
from training.trial import Rehearsal

_ROWS = 50
_MOST_CLASSES = 20
_MOST_EXTREMES = 10
_MOST_GAPS = 14


def golden_sample(rehearsal: Rehearsal, model: LoadedModel) -> GoldenSample:
    """Chooses the rows and predicts them with the model as a worker has it."""
    script, trial = rehearsal.script, rehearsal.trials[0]
    names = [feature.name for feature in rehearsal.draft.table_features]
    places = _chosen(script.read(trial.data), trial.answers["predict"])
    cells = rehearsal.sample.cells[names].iloc[[trial.rows[place] for place in places]]
    gaps = _with_gaps(cells, rehearsal)
    rows = written(pd.concat([cells, *gaps], ignore_index=True), script.dialect).partition(b"\n")[2]
    return make_golden(model, tuple(names), rows, script.dialect.delimiter, script.dialect.decimal)


def _chosen(frame: pd.DataFrame, predicted: Any) -> list[int]:
    """Positions: the first row of each class or the extreme predictions, extremes of features, then the first rows."""
    first = predicted if predicted.ndim == 1 else predicted[:, 0]
    chosen: list[int] = []
    if first.dtype.kind in "fiu":
        chosen += [int(np.nanargmin(first)), int(np.nanargmax(first))] if np.isfinite(first).any() else []
    chosen += np.sort(np.unique(first.astype("str"), return_index=True)[1])[:_MOST_CLASSES].tolist()
    for name in frame.columns[:_MOST_EXTREMES]:
        column = frame[name]
        if column.dtype.kind in "fi" and column.notna().any():
            values = column.to_numpy(dtype="float64")
            chosen += [int(np.nanargmin(values)), int(np.nanargmax(values))]
    chosen += range(min(_ROWS, len(frame)))
    return sorted(list(dict.fromkeys(chosen))[:_ROWS])


def _with_gaps(cells: pd.DataFrame, rehearsal: Rehearsal) -> list[pd.DataFrame]:
    """The first row without each feature that may be missing; of many features, without all of them at once."""
    optional = [feature.name for feature in rehearsal.draft.table_features if feature.missing]
    together = [optional] if len(optional) > _MOST_GAPS else [[name] for name in optional]
    texts = rehearsal.script.dialect.na_texts()
    return [cells.head(1).assign(**dict.fromkeys(names, texts[0])) for names in together if names and texts]
