"""Other files: columns that pandas may type otherwise there, and whether the model then predicts otherwise."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from rowcast.errors import Unprocessable
from rowcast.models.manifest import Feature
from training.compare import difference
from training.script import Script
from training.trial import Rehearsal


def allow_for_other_types(rehearsal: Rehearsal) -> None:
    """Refuses floats that must not come as whole numbers, and takes `1` and `0` for booleans only if nothing changes.

    Raises:
        Unprocessable: in a file of whole numbers only, the script would predict otherwise than the service.
    """
    script = rehearsal.script
    frame = script.read(rehearsal.trials[0].data)
    floats = [
        feature.name
        for feature in rehearsal.draft.features
        if feature.kind == "number" and feature.name not in script.dialect.kinds and frame[feature.name].notna().any()
    ]
    if floats and tells_apart(script, frame, floats, whole, rounded):
        blamed = next((name for name in floats if tells_apart(script, frame, [name], whole, rounded)), floats[0])
        raise Unprocessable(
            f"The model predicts otherwise if the column {blamed!r} comes as floats than if it comes as whole numbers, "
            "and pandas decides that anew for each file. Name its type, as your script then should (dtype): "
            f"--kind {blamed}=number or --kind {blamed}=text."
        )
    rehearsal.take(
        [_strict(script, frame, one) for one in rehearsal.draft.features], rehearsal.draft.container or "frame"
    )


def _strict(script: Script, frame: pd.DataFrame, feature: Feature) -> Feature:
    """A boolean feature; with `true` and `false` only, if the model predicts otherwise for ones and zeros."""
    if feature.kind != "boolean" or feature.true_values or frame[feature.name].isna().any():
        return feature
    if not tells_apart(script, frame, [feature.name], lambda column: column, whole):
        return feature
    return feature.model_copy(update={"true_values": ["true"], "false_values": ["false"]})


def whole(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """The column as whole numbers; in place of a missing value a zero."""
    return rounded(column).astype("int64")


def rounded(column: "pd.Series[Any]") -> "pd.Series[Any]":
    """The same numbers as floats."""
    return column.fillna(0).astype("float64").round().clip(-(2**53), 2**53)


Change = Callable[["pd.Series[Any]"], "pd.Series[Any]"]


def tells_apart(script: Script, frame: pd.DataFrame, names: Sequence[str], one: Change, other: Change) -> bool:
    """Whether the script predicts otherwise, by more than the last bits, for one form of these columns than another."""
    forms = [frame.assign(**{name: change(frame[name]) for name in names}) for change in (one, other)]
    try:
        first, second = (script.answers(form) for form in forms)
    except Exception:  # a file that the script cannot predict is none that it predicts otherwise
        return False
    found = difference(first, second)
    return found is not None and not found.is_rounding
