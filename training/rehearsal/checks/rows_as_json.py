"""Rows as JSON: whether a row that a caller sends as JSON gets the prediction that it has in the file."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from rowcast.errors import Unprocessable
from rowcast.models.loading.load import LoadedModel
from training.rehearsal.as_the_service import score_json
from training.rehearsal.compare import taken
from training.rehearsal.trial import Rehearsal, compared_answers

SINGLE_CALLS = 3
"""Rows that are predicted one per call. All of them are predicted together, too, as a worker does in a burst."""


def require_same_as_json(rehearsal: Rehearsal, model: LoadedModel, places: Sequence[int]) -> None:
    """Sends rows of the sample, by their places in the first trial, as JSON: together, and the first ones singly.

    Floats may differ in their last bits, as `docs/models.md` says of single rows.

    Raises:
        Unprocessable: a row as JSON is refused, or gets another prediction than in the file.
    """
    script, trial = rehearsal.script, rehearsal.trials[0]
    names = model.manifest.feature_names
    frame, cells = rehearsal.frame(), rehearsal.sample.cells
    columns = [
        [_json_value(frame[name].iloc[place], cells[name].iloc[trial.rows[place]]) for place in places]
        for name in names
    ]
    rows = list(zip(*columns, strict=True))
    for which in [slice(None), *(slice(row, row + 1) for row in range(min(len(rows), SINGLE_CALLS)))]:
        chosen = np.array(places[which])
        numbers, answers = [trial.rows[place] for place in chosen], taken(trial.answers, chosen)
        found = compared_answers(partial(score_json, model, rows[which], script.methods), answers, numbers)
        if found is not None and not found.is_rounding:
            raise Unprocessable(
                "The service cannot predict what your script predicts: sent as JSON, "
                f"{found.said(rehearsal.sample.name)}. Name the column's type, as your script then should (dtype): "
                "--kind NAME=KIND."
            )


def _json_value(value: Any, cell: str) -> Any:
    """Returns a value of the script's frame as a caller writes it in JSON: a date as in the file, a gap as null."""
    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return cell
    return value.item() if isinstance(value, np.generic) else value
