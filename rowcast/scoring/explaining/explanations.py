"""The explanations of some rows: the features that moved each prediction most, and how much."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Family = Literal["linear", "boosting"]
"""How a model is explained."""


class Inexplicable(Exception):
    """A model cannot be explained. The message says why, as the end of a sentence that begins with the model."""


@dataclass(frozen=True)
class Contributions:
    """What each feature contributed to the raw score of each row."""

    #: Shape (rows, features).
    values: NDArray[np.float64]
    #: The raw score without any contribution, shape (rows,).
    base: NDArray[np.float64]
    #: The model's own raw score, shape (rows,).
    raw: NDArray[np.float64]
    #: How far the sum may be from the raw score, as a share of the summands' sizes: rounding.
    tolerance: float

    @property
    def off(self) -> NDArray[np.float64]:
        """How far base and contributions together are from the raw score, shape (rows,)."""
        with np.errstate(invalid="ignore"):
            return np.asarray(np.abs(self.base + self.values.sum(axis=1) - self.raw))

    @property
    def adds_up(self) -> NDArray[np.bool_]:
        """Whether base and contributions add up to the raw score, shape (rows,). NaN and infinity do not."""
        sizes = np.abs(self.base) + np.abs(self.values).sum(axis=1) + np.abs(self.raw)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.isfinite(sizes) & (self.off <= self.tolerance * np.maximum(sizes, 1.0)))


@dataclass(frozen=True)
class Explanations:
    """The strongest features of each row, the strongest one first. Equal ones stand in the model's order."""

    #: The raw score without any contribution, shape (rows,).
    base: NDArray[np.float64]
    #: Places of the features among the model's columns, shape (rows, N).
    features: NDArray[np.intp]
    #: Their contributions, shape (rows, N).
    values: NDArray[np.float64]
    #: Rows whose contributions do not add up, and what is wrong with each.
    faults: dict[int, str]

    @classmethod
    def strongest(cls, found: Contributions, count: int) -> "Explanations":
        """Returns the `count` contributions that are farthest from 0."""
        places = np.argsort(-np.abs(found.values), axis=1, kind="stable")[:, :count]
        off, raw = found.off, found.raw
        faults = {
            row: f"its explanation does not add up to the raw score {float(raw[row])!r} (off by {float(off[row]):.3g})"
            for row in np.flatnonzero(~found.adds_up).tolist()
        }
        # Zeros are written without a sign, which says nothing here.
        values = np.take_along_axis(found.values, places, axis=1) + 0.0
        return cls(found.base, places, values, faults)

    def of_rows(self, which: NDArray[Any]) -> "Explanations":
        """Returns those of some rows, by their indexes or a mask of shape (rows,)."""
        rows = np.arange(len(self.base))[which].tolist()
        faults = (
            {place: self.faults[row] for place, row in enumerate(rows) if row in self.faults} if self.faults else {}
        )
        return Explanations(self.base[which], self.features[which], self.values[which], faults)

    def joined(self, others: Sequence["Explanations"]) -> "Explanations":
        """Returns these rows, and behind them those of the others."""
        every, start = [self, *others], 0
        faults: dict[int, str] = {}
        for one in every:
            faults |= {start + row: why for row, why in one.faults.items()}
            start += len(one.base)
        return Explanations(
            np.concatenate([one.base for one in every]),
            np.concatenate([one.features for one in every]),
            np.concatenate([one.values for one in every]),
            faults,
        )

    @classmethod
    def of_no_rows(cls, count: int) -> "Explanations":
        """Returns the explanations of no rows."""
        return cls(np.empty(0), np.empty((0, count), np.intp), np.empty((0, count)), {})
