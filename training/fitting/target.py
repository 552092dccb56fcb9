"""The target column that a model learns, as labels or as numbers, and the task that follows from it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rowcast.errors import Unprocessable
from rowcast.wording.quantity import counted
from training.fitting.column_kinds import boolean, is_infinite, number
from training.fitting.training_file import Cell

Task = Literal["classification", "regression"]

FEW_INTEGERS = 20
"""Maximum distinct values for whole numbers to be classes; with more they are amounts."""

MAX_CLASSES = 200
"""Maximum classes. A text column with more values is a name, and boosting would fit 100 trees for each."""

MIN_ROWS = 10

EXACT = 2**53
"""Below this, a float is exactly the whole number that was written."""


@dataclass(frozen=True)
class Target:
    """The values to learn, one for each row in `rows`, which are counted from 0 in the file."""

    task: Task
    values: npt.NDArray[Any]
    rows: npt.NDArray[np.intp]
    dropped: int


def read_target(name: str, cells: Sequence[Cell], wanted: Task | None) -> Target:
    """Reads the target; rows without a value are left out. `wanted` is the task, if the caller named one.

    Text, booleans and whole numbers with few values are classes. Other numbers are amounts.

    Raises:
        Unprocessable: there are too few rows, only one class, too many classes, an amount that is not finite, or
            values that the wanted task cannot learn.
    """
    numbers = {cell: number(cell) for cell in set(cells)}
    is_number = None not in numbers.values()
    there = [
        row for row, cell in enumerate(cells) if cell is not None and not (is_number and isnan(numbers[cell] or 0.0))
    ]
    kept = [str(cells[row]) for row in there]
    if len(kept) < MIN_ROWS:
        raise _wrong(name, f"it has a value in {counted(len(kept), 'row')}; at least {MIN_ROWS} are needed")
    rows = np.array(there, dtype=np.intp)
    dropped = len(cells) - len(there)
    if is_number:
        values = _finite(name, [(row, numbers[cell]) for row, cell in zip(there, kept, strict=True)])
        return Target(*_of_numbers(name, values, wanted), rows, dropped)
    if wanted == "regression":
        raise _wrong(
            name, f"a regressor learns numbers, and {next(c for c in kept if number(c) is None)!r} is not a number"
        )
    return Target("classification", _labels(name, _plain(kept)), rows, dropped)


def _of_numbers(name: str, values: list[float], wanted: Task | None) -> tuple[Task, npt.NDArray[Any]]:
    whole = all(value.is_integer() and abs(value) < EXACT for value in set(values))
    few = len(set(values)) <= FEW_INTEGERS
    if wanted == "regression" or (wanted is None and not (whole and few)):
        return "regression", np.array(values, dtype="float64")
    if not whole:
        raise _wrong(name, "a classifier learns classes, and these are numbers with a fraction; use a regressor")
    return "classification", _labels(name, [int(value) for value in values])


def _finite(name: str, values: list[tuple[int, float | None]]) -> list[float]:
    for row, value in values:
        if is_infinite(value):
            raise _wrong(name, f"the number in row {row + 1} is not finite")
    return [value for _, value in values if value is not None]


def _plain(cells: list[str]) -> list[str] | list[bool]:
    flags = {cell: boolean(cell) for cell in set(cells)}
    return cells if None in flags.values() else [bool(flags[cell]) for cell in cells]


def _labels(name: str, labels: Sequence[str | bool | int]) -> npt.NDArray[Any]:
    counts = Counter(labels)
    if len(counts) == 1:
        raise _wrong(name, f"every row is {labels[0]!r}; a classifier needs at least two classes")
    if len(counts) > MAX_CLASSES:
        raise _wrong(name, f"it has {len(counts)} distinct values; a classifier can learn up to {MAX_CLASSES} classes")
    # Text as objects is what pandas hands to scikit-learn, so a model is the same as one from a script.
    return np.array(labels, dtype=object if isinstance(labels[0], str) else None)


def _wrong(name: str, message: str) -> Unprocessable:
    return Unprocessable.at("target", f"{name!r}: {message}")
