"""Figures of many numbers: minimum, mean, maximum and a histogram. The figures of chunks merge into those of the job.

The merged figures are the same to the last bit in any order of the chunks. So the sum is exact, and the bins lie on a
shared grid: their widths are powers of two, and their edges are multiples of the width. Two bins of a grid are then
one bin of the next grid, so the finer of two grids is made as coarse as the other without reading a number again. Redis
does the merging (`lua/shared/summary.lua`), only with sums and with products by powers of two.
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
"""Number of bins, from the first that is filled to the last."""

BARS = 20
"""Number of bars of a histogram as a job shows it."""

LEAST_EXPONENT = -50
"""Exponent of the narrowest bins. The widest have 2**1015, so a float (Lua's only number) holds any quotient."""

_INDEX_BITS = 50
"""Indexes of bins stay below 2**50, so a float holds them exactly."""

_LIMB_BITS = 32
_LEAST_LIMB = -36
"""The limb with the last bit of the smallest float, with room for the zeros of a 53-bit mantissa."""


class Histogram(TypedDict):
    """Counts of numbers between edges."""

    #: Edges of the bars, ascending; one more than there are counts.
    edges: list[float]
    #: How many numbers are from one edge up to, but not including, the next.
    counts: list[int]


class NumberSummary(TypedDict):
    """A regressor's predictions. The figures are of the finite ones, and null if there are none.

    `not_finite` counts the infinite ones and those that are not a number (NaN).
    """

    min: float | None
    mean: float | None
    max: float | None
    histogram: Histogram | None
    not_finite: int


@dataclass(frozen=True)
class Numbers:
    """Figures of finite numbers. If `count` is 0, only `not_finite` has a meaning."""

    #: How many finite numbers there are.
    count: int = 0
    #: The smallest of them.
    minimum: float = 0.0
    #: The largest of them.
    maximum: float = 0.0
    #: Their exact sum in limbs. Limb i counts 2**(32 * i), and has 32 bits and the sum's sign. So 64 bits hold the
    #: sum of two thousand million limbs.
    total: dict[int, int] = field(default_factory=dict)
    #: The bins have the width 2**exponent.
    exponent: int = LEAST_EXPONENT
    #: Bin i counts the numbers from i * 2**exponent up to, but not including, (i + 1) * 2**exponent.
    bins: dict[int, int] = field(default_factory=dict)
    #: How many other numbers there are: infinite, or NaN.
    not_finite: int = 0

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Numbers":
        """Returns the figures of an array. NaN and infinities are only counted."""
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
        """Returns the figures of both together. Redis computes the same ones."""
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
        """The mean of the finite numbers, rounded once."""
        units = sum(amount << (_LIMB_BITS * (limb - _LEAST_LIMB)) for limb, amount in self.total.items())
        return float(Fraction(units, self.count << (_LIMB_BITS * -_LEAST_LIMB)))

    def render(self) -> NumberSummary:
        """Returns what a job shows: min, mean, max and bars. The edges lie on the grid, so the counts are exact."""
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
    """Returns the exponent of the finest grid on which the numbers between these fill at most `MAX_BINS` bins.

    It never falls when the range grows, so merging only makes grids coarser.
    """
    largest = max(abs(minimum), abs(maximum))
    exponent = max(LEAST_EXPONENT, frexp(largest)[1] - _INDEX_BITS) if largest else LEAST_EXPONENT
    ends = np.array([minimum, maximum])
    while np.ptp(_bins(ends, exponent)) >= MAX_BINS:
        exponent += 1
    return exponent


def _edge(index: int, exponent: int) -> float:
    """Returns where a bin begins, or the largest float if it begins beyond that: JSON has no infinity."""
    try:
        return ldexp(index, exponent)
    except OverflowError:
        return copysign(sys.float_info.max, index)


def _bins(values: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
    indexes: NDArray[np.float64] = np.floor(np.ldexp(values, -exponent))
    indexes[(indexes == 0) & (values < 0)] = -1  # the quotient is so small that it was rounded to zero
    return indexes


def _coarser(bins: Mapping[int, int], steps: int) -> dict[int, int]:
    """Returns the counts on the grid that is `steps` powers of two wider. `>>` rounds down negative indexes, too."""
    return added({index >> steps: count} for index, count in bins.items())


def added(counts: Iterable[Mapping[Key, int]]) -> dict[Key, int]:
    """Returns the sums of the counts, for each key."""
    together: dict[Key, int] = {}
    for one in counts:
        for key, count in one.items():
            together[key] = together.get(key, 0) + count
    return together


def _exact_sum(values: NDArray[np.float64]) -> int:
    """Returns the sum in units of the least limb, without rounding.

    The mantissas are added up separately for each exponent, in two halves, so that a float holds each sum.
    """
    fractions, exponents = np.frexp(values)
    mantissas = np.ldexp(fractions, 53).astype(np.int64)
    least = int(exponents.min())
    halves = [np.bincount(exponents - least, weights=half) for half in (mantissas >> 26, mantissas & (2**26 - 1))]
    shift = least - 53 - _LIMB_BITS * _LEAST_LIMB
    return sum(
        ((int(high) << 26) + int(low)) << (shift + place) for place, (high, low) in enumerate(zip(*halves, strict=True))
    )


def _limbs(units: int) -> dict[int, int]:
    """Splits a sum in units of the least limb into limbs, and leaves out those that are zero."""
    sign, rest, limb, limbs = (-1 if units < 0 else 1), abs(units), _LEAST_LIMB, {}
    while rest:
        if amount := rest % 2**_LIMB_BITS:
            limbs[limb] = sign * amount
        rest, limb = rest >> _LIMB_BITS, limb + 1
    return limbs
