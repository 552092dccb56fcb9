"""The values of cells of predictions, with their types: a class, a number or text."""

import math
from collections.abc import Callable

from rowcast.csv.write import label_text
from rowcast.models.model_manifest import Label, Manifest

Read = Callable[[str], Label | None]


def label_reader(manifest: Manifest) -> Read:
    """Returns the function that reads a predicted cell of this model. An infinite number and NaN are None, as in JSON.

    The manifest has the classes of a classifier with one output. Of one with several, a text that is written as a
    number or a boolean is taken for one: a text `7` becomes a number.
    """
    if manifest.task == "regression":
        return _number
    classes = {label_text(label): label for label in manifest.classes or []}
    return lambda text: classes[text] if text in classes else _canonical(text)


def _number(text: str) -> Label | None:
    try:
        return int(text)
    except ValueError:
        value = float(text)
        return value if math.isfinite(value) else None


def _canonical(text: str) -> Label:
    """Returns the value that Python writes as this text: `007`, `1_000` and `nan` stay texts."""
    if text in ("True", "False"):
        return text == "True"
    for read in (int, float):
        try:
            value = read(text)
        except ValueError:
            continue
        if str(value) == text and math.isfinite(value):
            return value
    return text
