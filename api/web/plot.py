"""The picture of a summary: bars for classes, or the histogram of numbers, as places in an SVG of fixed size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from rowcast.wording.quantity import counted

WIDTH = 640
_HEIGHT = 180
_MOST_CLASSES = 12


@dataclass(frozen=True)
class Bar:
    """One bar. Of classes, only `width` counts, in percent; of a histogram, all four are in units of the SVG."""

    width: float
    label: str
    count: int
    x: float = 0
    y: float = 0
    height: float = 0


@dataclass(frozen=True)
class Plot:
    """A picture of predictions. `name` is that of the output, empty if there is only one."""

    name: str
    #: `classes`: horizontal bars with their labels. `histogram`: vertical bars between `low` and `high`.
    kind: Literal["classes", "histogram"]
    bars: list[Bar]
    about: str
    height: int = 0
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
    shown, others = ordered[:_MOST_CLASSES], ordered[_MOST_CLASSES:]
    if others:
        shown.append((counted(len(others), "other"), sum(count for _, count in others)))
    if not shown:
        return None
    most = max(1, *(count for _, count in shown))
    bars = [Bar(round(100 * count / most, 1), label, count) for label, count in shown]
    about = "; ".join(f"{label}: {count:,}" for label, count in shown)
    return Plot(name, "classes", bars, f"Predicted classes. {about}")


def _histogram(name: str, summary: Mapping[str, Any]) -> Plot:
    edges, counts = summary["histogram"]["edges"], summary["histogram"]["counts"]
    most, step = max(1, *counts), WIDTH / len(counts)
    bars = []
    for place, count in enumerate(counts):
        height = round(_HEIGHT * count / most, 1)
        label = f"{edges[place]:.6g} to {edges[place + 1]:.6g}"
        bars.append(Bar(round(step - 2, 1), label, count, round(place * step + 1, 1), _HEIGHT - height, height))
    low, mean, high = (f"{summary[part]:.6g}" for part in ("min", "mean", "max"))
    about = f"Histogram of the predictions, from {low} to {high}; their mean is {mean}"
    return Plot(name, "histogram", bars, about, _HEIGHT, f"{edges[0]:.6g}", mean, f"{edges[-1]:.6g}")
