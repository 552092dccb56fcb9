"""Figures of many numbers: minimum, mean, maximum and a histogram, which chunks' figures merge into.

They merge into those of the whole, the same to the last bit in whatever order. So a sum is kept whole, and bins lie on
a grid that all share: widths are powers of two, edges multiples of them, so two bins of a grid are one of the next, and
the finer of two grids is brought to the coarser without looking at a number again. The merging is done in Redis
(rowcast/jobs/records/lua/summary.lua), with sums and products by powers of two alone.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import copysign, frexp, ldexp
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict

Key = TypeVar("Key", int, str)

MAX_BINS = 1024
"""From the first bin that is filled to the last."""

BARS = 20
"""Bars of a histogram as it is shown."""

LEAST_EXPONENT = -50
"""Bins are never narrower, nor wider than 2**1015: floats, all that Lua has, hold every quotient of two widths."""

_INDEX_BITS = 50
"""Indexes of bins stay below 2**50, so floats hold them."""

_LIMB_BITS = 32
_LEAST_LIMB = -36
"""The limb that the last bit of the least float falls into, with room for the zeros of a 53-bit mantissa."""


class Histogram(TypedDict):
    """Counts between edges, one more of these."""

    edges: list[float]
    counts: list[int]


class NumberSummary(TypedDict):
    """A regressor's predictions. All but `not_finite` are of those that are finite; null if there is none.

    `not_finite` counts the infinite ones and those that are not a number (NaN).
    """

    min: float | None
    mean: float | None
    max: float | None
    histogram: Histogram | None
    not_finite: int


@dataclass(frozen=True)
class Numbers:
    """Figures of numbers, finite ones; if `count` is 0 only `not_finite` says something.

    `total` is the exact sum in limbs: limb i counts 2**(32 * i), and has 32 bits and the sum's sign, so that 64 bits
    hold what two thousand million of them add up to. Bin i of `bins` counts the numbers from i to i + 1 times
    2**exponent.
    """

    count: int = 0
    minimum: float = 0.0
    maximum: float = 0.0
    total: dict[int, int] = field(default_factory=dict)
    exponent: int = LEAST_EXPONENT
    bins: dict[int, int] = field(default_factory=dict)
    not_finite: int = 0
    """How many others there are: infinite, or NaN."""

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Numbers":
        """The figures of an array; NaN and infinities are only counted."""
        finite = values[np.isfinite(values)]
        not_finite, values = len(values) - len(finite), finite
        if not len(values):
            return cls(not_finite=not_finite)
        minimum, maximum = float(values.min()), float(values.max())
        exponent = grid(minimum, maximum)
        indexes, counts = np.unique(_bins(values, exponent), return_counts=True)
        bins = dict(zip(indexes.astype(np.int64).tolist(), counts.tolist(), strict=True))
        return cls(len(values), minimum, maximum, _limbs(_exact_sum(values)), exponent, bins, not_finite)

    def plus(self, other: "Numbers") -> "Numbers":
        """The figures of both together, which Redis makes likewise."""
        not_finite = self.not_finite + other.not_finite
        parts = [numbers for numbers in (self, other) if numbers.count]
        if len(parts) < 2:
            return replace(parts[0] if parts else self, not_finite=not_finite)
        minimum, maximum = min(part.minimum for part in parts), max(part.maximum for part in parts)
        exponent = grid(minimum, maximum)
        return Numbers(
            sum(part.count for part in parts),
            minimum,
            maximum,
            added(part.total for part in parts),
            exponent,
            added(_coarser(part.bins, exponent - part.exponent) for part in parts),
            not_finite,
        )

    @property
    def mean(self) -> float:
        """The mean, rounded once."""
        units = sum(amount << (_LIMB_BITS * (limb - _LEAST_LIMB)) for limb, amount in self.total.items())
        return float(Fraction(units, self.count << (_LIMB_BITS * -_LEAST_LIMB)))

    def render(self) -> NumberSummary:
        """What a job shows: min, mean, max, and bars whose edges lie on the grid, so that their counts are exact."""
        if not self.count:
            return {"min": None, "mean": None, "max": None, "histogram": None, "not_finite": self.not_finite}
        least, most = min(self.bins), max(self.bins)
        width = -(-(most - least + 1) // BARS)
        first = least - (width * BARS - (most - least + 1)) // 2
        counts = [0] * BARS
        for index, count in self.bins.items():
            counts[(index - first) // width] += count
        edges = [_edge(first + bar * width, self.exponent) for bar in range(BARS + 1)]
        histogram: Histogram = {"edges": edges, "counts": counts}
        return {
            "min": self.minimum,
            "mean": self.mean,
            "max": self.maximum,
            "histogram": histogram,
            "not_finite": self.not_finite,
        }


def grid(minimum: float, maximum: float) -> int:
    """The exponent of the finest grid on which the numbers between these fill at most `MAX_BINS` bins.

    It never falls as the range grows, so merging only ever coarsens.
    """
    largest = max(abs(minimum), abs(maximum))
    exponent = max(LEAST_EXPONENT, frexp(largest)[1] - _INDEX_BITS) if largest else LEAST_EXPONENT
    ends = np.array([minimum, maximum])
    while np.ptp(_bins(ends, exponent)) >= MAX_BINS:
        exponent += 1
    return exponent


def _edge(index: int, exponent: int) -> float:
    """Where a bin begins; one beyond the largest float at the largest float, for JSON has no infinity."""
    try:
        return ldexp(index, exponent)
    except OverflowError:
        return copysign(sys.float_info.max, index)


def _bins(values: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    indexes: NDArray[np.float64] = np.floor(np.ldexp(values, -exponent))
    indexes[(indexes == 0) & (values < 0)] = -1  # so small that the quotient was rounded to zero
    return indexes


def _coarser(bins: Mapping[int, int], steps: int) -> dict[int, int]:
    """The same counts on the grid that is `steps` powers of two wider. `>>` rounds down, for negative indexes too."""
    return added({index >> steps: count} for index, count in bins.items())


def added(counts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """The counts of all together."""
    together: dict[Key, int] = {}
    for one in counts:
        for key, count in one.items():
            together[key] = together.get(key, 0) + count
    return together


def _exact_sum(values: NDArray[np.float64]) -> int:
    """The sum in units of the least limb, without any rounding: mantissas are added up for each exponent, in halves."""
    fractions, exponents = np.frexp(values)
    mantissas = np.ldexp(fractions, 53).astype(np.int64)
    least = int(exponents.min())
    halves = [np.bincount(exponents - least, weights=half) for half in (mantissas >> 26, mantissas & (2**26 - 1))]
    shift = least - 53 - _LIMB_BITS * _LEAST_LIMB
    return sum(
        ((int(high) << 26) + int(low)) << (shift + place) for place, (high, low) in enumerate(zip(*halves, strict=True))
    )


def _limbs(units: int) -> dict[int, int]:
    """A sum in units of the least limb as limbs, those that are zero left out."""
    sign, rest, limb, limbs = (-1 if units < 0 else 1), abs(units), _LEAST_LIMB, {}
    while rest:
        if amount := rest % 2**_LIMB_BITS:
            limbs[limb] = sign * amount
        rest, limb = rest >> _LIMB_BITS, limb + 1
    return limbs
