"""Unseen categories: what the user's script does with a value that the sample does not have."""

from collections.abc import Sequence
from typing import Literal, get_args

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


Unseen = Literal["missing", "kept"]


def allow_unseen(rehearsal: Rehearsal) -> None:
    """Marks the categories for which the script treats an unseen value as a missing one, or takes it as it is."""
    tried = [one for one in rehearsal.draft.features if one.kind == "category" and one.missing]
    for unseen in get_args(Unseen):
        # An unseen value among categories that are numbers would make texts of all of them in pandas.
        names = [one.name for one in tried if unseen == "missing" or _is_of_texts(one)]
        groups = [names[first : first + _CATEGORIES] for first in range(0, len(names), _CATEGORIES)]
        agreeing = {name for group in groups for name in _agreeing(rehearsal, group, unseen)}
        rehearsal.take(_lenient(rehearsal, agreeing, unseen), rehearsal.draft.container or "frame")
        tried = [one for one in tried if one.name not in agreeing]


def _agreeing(rehearsal: Rehearsal, names: Sequence[str], unseen: Unseen) -> list[str]:
    """Returns the categories for which script and service agree.

    They predict a file with rows of the sample as they are, and then again for each category with the unseen value in
    it. If that file cannot be predicted, or changes the rows as they are, its halves are tried.
    """
    script, sample = rehearsal.script, rehearsal.sample
    values = {one.name: _unseen_value(one) for one in rehearsal.draft.features if one.name in names}
    rows = sample.cells[list(script.features)].iloc[list(rehearsal.trials[-1].rows[:_ROWS])]
    data = written(pd.concat([rows, *(rows.assign(**{name: values[name]}) for name in names)]), script.dialect)
    try:
        wanted = script.answers(script.read(data))
        model = rehearsal.model(_lenient(rehearsal, set(names), unseen), rehearsal.draft.container or "frame")
        scored = score_csv(model, data, script.dialect, script.methods)
        if scored.faults:
            raise ValueError("a row is bad")
        pieces = [slice(first, first + len(rows)) for first in range(0, len(rows) * (len(names) + 1), len(rows))]
        same = [difference(taken(wanted, piece), taken(scored.answers, piece)) is None for piece in pieces]
        if not same[0]:
            raise ValueError("a value changes other rows")
    except Exception:
        half = len(names) // 2
        return _agreeing(rehearsal, names[:half], unseen) + _agreeing(rehearsal, names[half:], unseen) if half else []
    return [name for name, agrees in zip(names, same[1:], strict=True) if agrees]


def _lenient(rehearsal: Rehearsal, names: set[str], unseen: Unseen) -> list[Feature]:
    """Returns the features, of which these treat an unseen value so."""
    return [one.model_copy(update={"unseen": unseen}) if one.name in names else one for one in rehearsal.draft.features]


def _is_of_texts(feature: Feature) -> bool:
    return all(isinstance(value, str) for value in feature.categories or [])


def _unseen_value(feature: Feature) -> str:
    """Returns a value that the sample does not have, of the type that its values have."""
    if not _is_of_texts(feature):
        numbers = [value for value in feature.categories or [] if isinstance(value, int | float)]
        return str(max(numbers, default=0) + 1)
    return _UNSEEN
