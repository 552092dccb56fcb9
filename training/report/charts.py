"""Charts: curves, points and bars between two axes, as SVG whose colours the style of the page decides.

They are made here, because matplotlib is not in the image that trains, and its pictures have only one colour scheme.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, isfinite, log10

WIDTH, HEIGHT = 440, 330
"""Size in units of the SVG, which are about as large as pixels."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 10, 48
_TICKS = 5
_MOST_COLOURS = 6

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """One axis: its title and the values at both ends."""

    title: str
    low: float
    high: float

    def share(self, value: float) -> float:
        """Returns where a value is, from 0 at the lower end to 1."""
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Returns round values on the axis, about five."""
        step = _round_step((self.high - self.low) / _TICKS)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [count * step for count in range(first, last + 1)]


def axis_over(title: str, values: Sequence[float], *, at_zero: bool = False) -> Axis:
    """Returns an axis that has room for all values, and begins with zero if it should."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if at_zero:
        low, high = min(0.0, low), max(0.0, high)
    if not isfinite(high - low) or high - low <= abs(high) * 1e-12:
        low, high = low - 0.5, high + 0.5
    room = 0.03 * (high - low)
    return Axis(title, low if at_zero and low == 0 else low - room, high + room)


@dataclass
class Chart:
    """A chart that is being drawn. `about` is what it shows, in words, for screen readers."""

    x: Axis
    y: Axis
    about: str
    _shapes: list[str] = field(default_factory=list)

    def line(self, points: Points, colour: int = 0, *, dots: bool = False) -> None:
        """Draws a curve through the points, in the colour of that number."""
        places = [self._place(point) for point in points]
        name = f"c{colour % _MOST_COLOURS}"
        shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        self._shapes.append(f'<polyline class="curve {name}" points="{shown}"/>')
        if dots:
            self.dots(points, colour, radius=3.5)

    def dots(self, points: Points, colour: int = 0, *, radius: float = 2.5) -> None:
        """Draws a dot at each point."""
        name = f"c{colour % _MOST_COLOURS}"
        found = (self._place(point) for point in points)
        self._shapes += [f'<circle class="dot {name}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>' for x, y in found]

    def guide(self, first: tuple[float, float], last: tuple[float, float]) -> None:
        """Draws a dashed line for comparison."""
        (x1, y1), (x2, y2) = self._place(first), self._place(last)
        self._shapes.append(f'<line class="guide" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>')

    def bars(self, edges: Sequence[float], counts: Sequence[int]) -> None:
        """Draws a histogram: `counts[n]` between `edges[n]` and `edges[n + 1]`."""
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            (left, top), (right, bottom) = self._place((low, count)), self._place((high, 0))
            self._shapes.append(
                f'<rect class="bar" x="{left + 0.5:.1f}" y="{top:.1f}" width="{max(0.5, right - left - 1):.1f}" '
                f'height="{bottom - top:.1f}"/>'
            )

    def svg(self) -> str:
        """Returns the chart."""
        parts = [*self._axes(), *self._shapes]
        about = escape(self.about)
        return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{about}">\n' + "\n".join(parts) + "\n</svg>"

    def _place(self, point: tuple[float, float]) -> tuple[float, float]:
        x = _LEFT + self.x.share(point[0]) * (WIDTH - _LEFT - _RIGHT)
        return x, HEIGHT - _BOTTOM - self.y.share(point[1]) * (HEIGHT - _TOP - _BOTTOM)

    def _axes(self) -> Iterator[str]:
        left, right, bottom, top = _LEFT, WIDTH - _RIGHT, HEIGHT - _BOTTOM, _TOP
        for value in self.x.ticks():
            place = self._place((value, self.y.low))[0]
            yield f'<line class="grid" x1="{place:.1f}" y1="{top}" x2="{place:.1f}" y2="{bottom}"/>'
            yield f'<text x="{place:.1f}" y="{bottom + 16}" text-anchor="middle">{number(value)}</text>'
        for value in self.y.ticks():
            place = self._place((self.x.low, value))[1]
            yield f'<line class="grid" x1="{left}" y1="{place:.1f}" x2="{right}" y2="{place:.1f}"/>'
            yield f'<text x="{left - 6}" y="{place + 4:.1f}" text-anchor="end">{number(value)}</text>'
        yield f'<path class="axis" d="M{left} {top}V{bottom}H{right}"/>'
        yield f'<text x="{(left + right) / 2}" y="{HEIGHT - 8}" text-anchor="middle">{escape(self.x.title)}</text>'
        middle = (top + bottom) / 2
        turned = f'text-anchor="middle" transform="rotate(-90 14 {middle})"'
        yield f'<text x="14" y="{middle}" {turned}>{escape(self.y.title)}</text>'


def swatch(colour: int) -> str:
    """Returns a small square in the colour of that number, for a legend."""
    return (
        f'<svg class="swatch" aria-hidden="true" viewBox="0 0 10 10">'
        f'<rect class="c{colour % _MOST_COLOURS}" width="10" height="10"/></svg>'
    )


def number(value: float) -> str:
    """Returns a number for an axis or a table, for example `0.25` or `1.2e+06`."""
    shown = f"{value:,.6g}" if abs(value) < 100_000 else f"{value:.3g}"
    return "0" if shown in ("-0", "0") else shown


def _round_step(step: float) -> float:
    """Returns the next larger of 1, 2, 2.5, 5 and 10, times a power of ten."""
    power = 10.0 ** floor(log10(step))
    return next(factor for factor in (1, 2, 2.5, 5, 10) if factor * power >= step * (1 - 1e-9)) * power
