"""The picture of a summary: bars for classes, or the histogram of numbers, as places in an SVG of fixed size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

WIDTH = 640
_LABEL, _COUNT, _ROW = 150, 90, 26
_HEIGHT, _FOOT = 180, 24
_MOST_CLASSES = 12


@dataclass(frozen=True)
class Bar:
    """One bar, in units of the SVG."""

    x: float
    y: float
    width: float
    height: float
    label: str
    count: int


@dataclass(frozen=True)
class Plot:
    """A picture of predictions. `name` is that of the output, empty if there is only one."""

    name: str
    #: `classes`: horizontal bars with their labels. `histogram`: vertical bars between `low` and `high`.
    kind: str
    bars: list[Bar]
    height: int
    about: str
    low: str = ""
    mean: str = ""
    high: str = ""


def plots(summary: Mapping[str, Any] | None) -> list[Plot]:
    """Returns the pictures of a job's summary: one, or one for each output of a model with several, of each model."""
    if not summary:
        return []
    models = summary.get("models", {"": summary})
    named = {
        ", ".join(filter(None, (model, name))): one
        for model, whole in models.items()
        for name, one in whole.get("outputs", {"": whole}).items()
    }
    return [plot for name, one in named.items() if (plot := _plot(name, one)) is not None]


def _plot(name: str, summary: Mapping[str, Any]) -> Plot | None:
    if "classes" in summary:
        return _classes(name, summary["classes"])
    return _histogram(name, summary) if summary.get("histogram") else None


def _classes(name: str, counts: Mapping[str, int]) -> Plot | None:
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    shown = ordered[:_MOST_CLASSES]
    if rest := sum(count for _, count in ordered[_MOST_CLASSES:]):
        shown.append((f"{len(ordered) - _MOST_CLASSES} others", rest))
    if not shown:
        return None
    most, room = max(count for _, count in shown), WIDTH - _LABEL - _COUNT
    bars = [
        Bar(_LABEL, place * _ROW + 4, round(room * count / most, 1), _ROW - 8, label, count)
        for place, (label, count) in enumerate(shown)
    ]
    about = "; ".join(f"{label}: {count:,}" for label, count in shown)
    return Plot(name, "classes", bars, _ROW * len(shown), f"Predicted classes. {about}")


def _histogram(name: str, summary: Mapping[str, Any]) -> Plot:
    edges, counts = summary["histogram"]["edges"], summary["histogram"]["counts"]
    most, step = max(1, *counts), WIDTH / len(counts)
    bars = []
    for place, count in enumerate(counts):
        height = round(_HEIGHT * count / most, 1)
        label = f"{edges[place]:.6g} to {edges[place + 1]:.6g}"
        bars.append(Bar(round(place * step + 1, 1), _HEIGHT - height, round(step - 2, 1), height, label, count))
    low, mean, high = (f"{summary[part]:.6g}" for part in ("min", "mean", "max"))
    about = f"Histogram of the predictions, from {low} to {high}; their mean is {mean}"
    return Plot(name, "histogram", bars, _HEIGHT + _FOOT, about, f"{edges[0]:.6g}", mean, f"{edges[-1]:.6g}")
