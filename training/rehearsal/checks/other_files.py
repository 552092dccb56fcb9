"""Other files: columns that pandas may read as another type there, and whether the model then predicts the same."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from rowcast.errors import Unprocessable
from rowcast.models.cells import FALSE, TRUE
from rowcast.models.model_manifest import Feature
from training.rehearsal.checks.neighbours import BRUTE_FORCE, with_trees
from training.rehearsal.checks.whole_numbers import bounded
from training.rehearsal.compare import Difference, difference, taken
from training.rehearsal.trial import Rehearsal
from training.rehearsal.users_script import Answers, Script


def allow_for_other_types(rehearsal: Rehearsal) -> None:
    """Refuses a model that needs floats as floats, and accepts `1` and `0` for booleans only if nothing changes.

    Raises:
        Unprocessable: in a file of whole numbers only, or without a category, the script would predict otherwise.
    """
    _require_free_categories(rehearsal)
    _require_free_units(rehearsal)
    script, frame = rehearsal.script, rehearsal.frame()
    floats = [
        feature.name
        for feature in rehearsal.draft.features
        if feature.kind == "number" and feature.name not in script.dialect.kinds and frame[feature.name].notna().any()
    ]
    if floats and tells_apart(script, frame, floats, whole, rounded):
        if brute_force_decides(script, frame, floats):
            raise Unprocessable(BRUTE_FORCE)
        blamed = next((name for name in floats if tells_apart(script, frame, [name], whole, rounded)), floats[0])
        raise Unprocessable(
            f"The model predicts different values if the column {blamed!r} is read as floats instead of whole numbers, "
            "and pandas decides that for each file. Name its type, as your script then should (dtype): "
            f"--kind {blamed}=number or --kind {blamed}=text."
        )
    features = [_strict(script, frame, one) for one in rehearsal.draft.features]
    rehearsal.take(bounded(script, frame, features), rehearsal.draft.container or "frame")


def _require_free_categories(rehearsal: Rehearsal) -> None:
    """Refuses a model for which a category's number in the file decides, as with `cat.codes`."""
    script, trial, frame = rehearsal.script, rehearsal.trials[0], rehearsal.frame()
    for feature in rehearsal.draft.features:
        values = list(feature.categories or [])
        if feature.kind != "category" or len(values) < 2:
            continue
        kept = [row for row, value in enumerate(frame[feature.name].tolist()) if value != values[0]]
        fewer = script.read(rehearsal.sample.csv([trial.rows[row] for row in kept], script.features))
        found = _difference(script, taken(trial.answers, kept), fewer)
        if found is not None:
            raise Unprocessable(
                f"What the model predicts depends on which values of the category {feature.name!r} a file has: without "
                f"{values[0]!r} in it, {found.method} gives {found.service} for a row that got {found.script}. "
                "Use an encoder that learns the categories in `fit`, for example OrdinalEncoder."
            )


def _require_free_units(rehearsal: Rehearsal) -> None:
    """Refuses a model for which the unit of dates decides, if it is nanoseconds: pandas takes it if a file has some."""
    script, frame = rehearsal.script, rehearsal.frame()
    fine = [name for name in script.features if str(frame[name].dtype).startswith("datetime64[ns")]
    for name in fine:
        if tells_apart(script, frame, [name], lambda dates: dates.dt.floor("us"), _in_microseconds):
            raise Unprocessable(
                f"What the model predicts depends on the unit of the dates in {name!r}: nanoseconds in a file that has "
                "some, otherwise microseconds. Begin the pipeline with a step that names the unit, for example "
                f"`frame[{name!r}].dt.as_unit('us')`."
            )


def _in_microseconds(dates: "pd.Series[Any]") -> "pd.Series[Any]":
    floored: pd.Series[Any] = dates.dt.floor("us").dt.as_unit("us")
    return floored


def _strict(script: Script, frame: pd.DataFrame, feature: Feature) -> Feature:
    """Returns the feature; if ones and zeros change the predictions, it takes only `true` and `false`."""
    if feature.kind != "boolean" or feature.true_values or frame[feature.name].isna().any():
        return feature
    if not tells_apart(script, frame, [feature.name], lambda column: column, whole):
        return feature
    return feature.model_copy(update={"true_values": [TRUE], "false_values": [FALSE]})


def whole(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Returns the column as whole numbers, with zeros for missing values."""
    return rounded(column).astype("int64")


def rounded(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """Returns the same numbers as floats."""
    return column.fillna(0).astype("float64").round().clip(-(2**53), 2**53)


Change = Callable[["pd.Series[Any]"], "pd.Series[Any]"]


def tells_apart(script: Script, frame: pd.DataFrame, names: Sequence[str], one: Change, other: Change) -> bool:
    """Returns whether the predictions for two forms of these columns differ by more than the last bits."""
    forms = [frame.assign(**{name: change(frame[name]) for name in names}) for change in (one, other)]
    try:
        first = script.shared_answers(forms[0])
    except Exception:
        return False
    return _difference(script, first, forms[1]) is not None


def brute_force_decides(script: Script, frame: pd.DataFrame, names: Sequence[str]) -> bool:
    """Returns whether the type of these columns matters only to a search for neighbours by brute force."""
    trees = with_trees(script)
    return trees is not None and trees.works(frame) and not tells_apart(trees, frame, names, whole, rounded)


def _difference(script: Script, wanted: Answers, frame: pd.DataFrame) -> Difference | None:
    """Returns the first difference for a frame, other than the last bits; None if the script cannot predict it."""
    try:
        found = difference(wanted, script.shared_answers(frame))
    except Exception:
        return None
    return None if found is None or found.is_rounding else found
