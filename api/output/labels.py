"""The values of cells of predictions, with their types: a class, a number or text."""

from collections.abc import Callable

from rowcast.csv.write import label_text
from rowcast.models.model_manifest import Label, Manifest


def label_reader(manifest: Manifest) -> Callable[[str], Label]:
    """Returns the function that reads a predicted cell of this model: the class with that text, or else a number."""
    classes = {label_text(label): label for label in manifest.classes or []}

    def read(text: str) -> Label:
        if text in classes:
            return classes[text]
        for number in (int, float):
            try:
                return number(text)
            except ValueError:
                continue
        return text

    return read
