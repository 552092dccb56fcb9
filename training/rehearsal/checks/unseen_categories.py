"""Unseen categories: what the user's script does with a value that the sample does not have."""

from collections.abc import Sequence

import pandas as pd

from rowcast.models.model_manifest import Feature
from training.rehearsal.as_the_service import score_csv
from training.rehearsal.compare import difference, taken
from training.rehearsal.trial import Rehearsal
from training.sample.sample import written

_ROWS = 100
"""Number of rows in which the value is tried. The model may not use the category in each row."""

_CATEGORIES = 10
"""Maximum categories that are tried in one file, so that the file stays small."""

_UNSEEN = "a value that no sample has"


def allow_unseen(rehearsal: Rehearsal) -> None:
    """Marks the categories for which the script treats an unseen value as a missing one."""
    tried = [one.name for one in rehearsal.draft.features if one.kind == "category" and one.missing]
    groups = [tried[first : first + _CATEGORIES] for first in range(0, len(tried), _CATEGORIES)]
    agreeing = {name for group in groups for name in _agreeing(rehearsal, group)}
    rehearsal.take(_lenient(rehearsal, agreeing), rehearsal.draft.container or "frame")


def _agreeing(rehearsal: Rehearsal, names: Sequence[str]) -> list[str]:
    """Returns the categories for which script and service agree.

    They predict a file with rows of the sample as they are, and then again for each category with the unseen value in
    it. If that file cannot be predicted, its halves are tried.
    """
    script, sample = rehearsal.script, rehearsal.sample
    rows = sample.cells[list(script.features)].iloc[list(rehearsal.trials[-1].rows[:_ROWS])]
    data = written(pd.concat([rows, *(rows.assign(**{name: _UNSEEN}) for name in names)]), script.dialect)
    try:
        wanted = script.answers(script.read(data))
        model = rehearsal.model(_lenient(rehearsal, set(names)), rehearsal.draft.container or "frame")
        scored = score_csv(model, data, script.dialect, script.methods)
        if scored.faults:
            raise ValueError("a row is bad")
        pieces = [slice(first, first + len(rows)) for first in range(0, len(rows) * (len(names) + 1), len(rows))]
        same = [difference(taken(wanted, piece), taken(scored.answers, piece)) is None for piece in pieces]
    except Exception:
        half = len(names) // 2
        return _agreeing(rehearsal, names[:half]) + _agreeing(rehearsal, names[half:]) if half else []
    return [name for name, agrees in zip(names, same[1:], strict=True) if same[0] and agrees]


def _lenient(rehearsal: Rehearsal, names: set[str]) -> list[Feature]:
    """Returns the features, of which these treat an unseen value as a missing one."""
    return [
        one.model_copy(update={"unseen": "missing"}) if one.name in names else one for one in rehearsal.draft.features
    ]
