"""The profile of the whole sample, as the service reads and predicts it."""

import warnings
from collections.abc import Sequence

import numpy as np

from rowcast.models.drift.profile import Profile
from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.cell_types import Column
from rowcast.scoring.predict import Wanted, predict_good
from training.rehearsal.as_the_service import rows_of_csv
from training.rehearsal.trial import Rehearsal
from training.sample.sample_profile import profile_of

_MOST_CELLS, _LEAST_ROWS = 2_000_000, 2_000
"""Of a larger sample, rows at equal distances are counted: at most this number of cells, but at least of rows."""


def sample_profile(rehearsal: Rehearsal, model: LoadedModel) -> Profile | None:
    """Returns the profile; None if too few rows can be predicted."""
    sample, script = rehearsal.sample, rehearsal.script
    found: list[Column] = []

    def keep(columns: Sequence[Column]) -> None:
        found.extend(column.copy() for column in columns)

    most = max(_LEAST_ROWS, _MOST_CELLS // len(script.features))
    places = np.unique(np.linspace(0, len(sample.cells) - 1, min(most, len(sample.cells))).astype(np.int64))
    data = sample.csv(places.tolist(), script.features)
    rows = rows_of_csv(model, data, script.dialect, keep)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        predicted = predict_good(model, rows.table, Wanted())
    columns = [column.take(predicted.good) for column in found]
    return profile_of(rehearsal.draft, columns, predicted.values.predictions)
