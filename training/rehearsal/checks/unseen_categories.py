"""Unseen categories: what the user's script does with a value that the sample does not have."""

import pandas as pd

from rowcast.models.model_manifest import Feature
from training.rehearsal.as_the_service import score_csv
from training.rehearsal.compare import difference
from training.rehearsal.trial import Rehearsal
from training.sample.sample import written

_ROWS = 100
"""Number of rows in which the value is tried. The model may not use the category in each row."""

_UNSEEN = "a value that no sample has"


def allow_unseen(rehearsal: Rehearsal) -> None:
    """Marks the categories for which the script treats an unseen value as a missing one."""
    features = [_tried(rehearsal, feature) for feature in rehearsal.draft.features]
    rehearsal.take(features, rehearsal.draft.container or "frame")


def _tried(rehearsal: Rehearsal, feature: Feature) -> Feature:
    if feature.kind != "category" or not feature.missing:
        return feature
    script, sample = rehearsal.script, rehearsal.sample
    rows = sample.cells[list(script.features)].iloc[list(rehearsal.trials[-1].rows[:_ROWS])]
    cells = pd.concat([rows, rows.assign(**{feature.name: _UNSEEN})])
    data = written(cells, script.dialect)
    lenient = feature.model_copy(update={"unseen": "missing"})
    features = [lenient if one.name == feature.name else one for one in rehearsal.draft.features]
    try:
        wanted = script.answers(script.read(data))
        model = rehearsal.model(features, rehearsal.draft.container or "frame")
        scored = score_csv(model, data, script.dialect, script.methods)
        return lenient if difference(wanted, scored.answers) is None else feature
    except Exception:
        return feature
