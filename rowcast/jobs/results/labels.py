"""The values of cells of predictions, with their types: a class, a number or text."""

import math
from collections.abc import Callable, Sequence

from rowcast.csv.write import label_text
from rowcast.jobs.check.answer import OnePrediction
from rowcast.models.model_manifest import Label, Manifest
from rowcast.models.model_set import ModelSet

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


def prediction_reader(
    models: ModelSet,
) -> Callable[[Sequence[str]], OnePrediction | dict[str, OnePrediction]]:
    """Returns the function that reads the predictions of a row, given its added cells.

    It returns what `label_reader` does, a list for several outputs, or for two models an object with an entry for each.
    """
    readers = [(manifest.outputs, label_reader(manifest)) for manifest in models.manifests]

    def read(cells: Sequence[str]) -> OnePrediction | dict[str, OnePrediction]:
        found: list[OnePrediction] = []
        start = 0
        for outputs, read_label in readers:
            own = cells[start : start + (1 if outputs is None else len(outputs))]
            found.append(read_label(own[0]) if outputs is None else list(map(read_label, own)))
            start += len(own)
        return dict(zip(models.labels, found, strict=True)) if models.is_pair else found[0]

    return read


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
