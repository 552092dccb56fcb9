"""Added columns: the values in a result, as Python's classes, integers, floats and texts."""

import csv
import io
import re
from collections.abc import Mapping
from typing import Any, BinaryIO

_INTEGER = re.compile(r"[+-]?[0-9]+")

_FEATURES = re.compile(r"explanation_[0-9]+_feature")
"""Columns of features' names, which are texts even if they look like numbers."""


def read_added(result: BinaryIO, models: Mapping[str, Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Returns the columns of a result by name. An empty cell is None.

    `models` has the manifest of its model for each column of labels.
    """
    text = io.TextIOWrapper(result, encoding="utf-8", newline="")
    rows = csv.reader(text)
    columns: dict[str, list[str]] = {name: [] for name in next(rows)}
    lists = list(columns.values())
    for row in rows:
        for cells, cell in zip(lists, row or [""], strict=True):  # a blank line is one empty cell
            cells.append(cell)
    text.detach()
    labels = {name: _labels(manifest) for name, manifest in models.items()}
    return {
        name: [cell or None for cell in cells] if _FEATURES.fullmatch(name) else _values(cells, labels.get(name, {}))
        for name, cells in columns.items()
    }


def _labels(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the model's classes by the texts that a result may have for them."""
    classes = (manifest.get("classes") or []) if not manifest.get("outputs") else []
    labels = {text: label for label in classes for text in (str(label), str(label).lower())}
    return labels | {str(label): label for label in classes}


def _values(cells: list[str], labels: Mapping[str, Any]) -> list[Any]:
    present = {cell for cell in cells if cell != ""}
    if present and present <= labels.keys():
        return [labels[cell] if cell != "" else None for cell in cells]
    if present and all(_INTEGER.fullmatch(cell) for cell in present):
        return [int(cell) if cell != "" else None for cell in cells]
    try:
        return [float(cell) if cell != "" else None for cell in cells]
    except ValueError:
        return [cell if cell != "" else None for cell in cells]
