"""The figures of a report: what scikit-learn computes of the held-out rows, drawn as charts."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn import metrics
from sklearn.calibration import calibration_curve
from sklearn.inspection import permutation_importance

from training.fitting.held_out import HeldOut
from training.fitting.pipelines import SEED
from training.report.charts import Axis, Chart, axis_over, number, swatch

MOST_CURVES = 6
"""Maximum classes with curves: the most frequent ones."""

MOST_DOTS = 1_500
"""Maximum dots of a chart, a random sample, so that the file stays small."""

CURVE_POINTS = 300
BINS = 10
HISTOGRAM_BINS = 30
REPEATS = 5
IMPORTANCE_ROWS = 2_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """A chart with its heading and explanation, both as plain text, and a legend as HTML."""

    title: str
    svg: str
    caption: str
    legend: str = ""


@dataclass(frozen=True)
class Importance:
    """How much worse the predictions become if the cells of a feature are exchanged among the rows."""

    feature: str
    mean: float
    deviation: float


@dataclass(frozen=True)
class _OneClass:
    """A class against all others: in which rows it is true, and its probability."""

    label: str
    is_true: npt.NDArray[np.bool_]
    probability: Floats


def figures(held_out: HeldOut) -> list[Figure]:
    """Returns the charts that suit the task."""
    if hasattr(held_out.pipeline, "classes_"):
        return list(_of_classes(_classes(held_out)))
    return list(_of_amounts(held_out.values.astype("float64"), held_out.pipeline.predict(held_out.rows)))


def _classes(held_out: HeldOut) -> list[_OneClass]:
    """Returns the second of two classes, or each of the most frequent ones, if the held-out rows have it."""
    labels = held_out.pipeline.classes_.tolist()
    values = held_out.values.tolist()
    probabilities = held_out.pipeline.predict_proba(held_out.rows)
    chosen = labels[1:] if len(labels) == 2 else [label for label, _ in Counter(values).most_common(MOST_CURVES)]
    found = [
        _OneClass(str(label), np.array([value == label for value in values]), probabilities[:, labels.index(label)])
        for label in chosen
    ]
    return [one for one in found if one.is_true.any() and not one.is_true.all()]


def _of_classes(classes: Sequence[_OneClass]) -> Iterator[Figure]:
    if not classes:
        return
    yield _curves(
        classes,
        "ROC curve",
        ("False positive rate", "True positive rate"),
        _roc,
        "Each threshold is a point: which share of the other rows is wrongly predicted as the class, and which share "
        "of the class is found. The dashed line is chance.",
        guide=((0, 0), (1, 1)),
    )
    share = float(classes[0].is_true.mean())
    yield _curves(
        classes,
        "Precision and recall",
        ("Recall", "Precision"),
        _precision_recall,
        "For each threshold, the share of the class that is found, and the share of these predictions that is right."
        + (" The dashed line is the share of the class among the rows." if len(classes) == 1 else ""),
        guide=((0, share), (1, share)) if len(classes) == 1 else None,
    )
    yield _curves(
        classes,
        "Calibration",
        ("Predicted probability", "Share that is true"),
        _calibration,
        f"Rows in up to {BINS} groups with similar probabilities. If the probabilities come true, the dots are on the "
        "dashed line.",
        guide=((0, 0), (1, 1)),
        dots=True,
    )


_Curve = Callable[[_OneClass], tuple[Floats, Floats, str]]
"""Returns x, y and a measure in words."""


def _curves(
    classes: Sequence[_OneClass],
    title: str,
    axes: tuple[str, str],
    curve: _Curve,
    caption: str,
    *,
    guide: tuple[tuple[float, float], tuple[float, float]] | None,
    dots: bool = False,
) -> Figure:
    found = [(one.label, *curve(one)) for one in classes]
    measures = [f"{label}: {measure}" if measure else label for label, _, _, measure in found]
    chart = Chart(Axis(axes[0], 0, 1), Axis(axes[1], 0, 1), f"{title}. {'; '.join(measures)}")
    if guide:
        chart.guide(*guide)
    for place, (_, x, y, _) in enumerate(found):
        chart.line(_thinned(x, y), place, dots=dots)
    legend = "".join(f"<li>{swatch(place)} {escape(text)}</li>" for place, text in enumerate(measures))
    return Figure(title, chart.svg(), caption, f'<ul class="legend">{legend}</ul>')


def _roc(one: _OneClass) -> tuple[Floats, Floats, str]:
    x, y, _ = metrics.roc_curve(one.is_true, one.probability)
    return x, y, f"ROC AUC {metrics.auc(x, y):.3f}"


def _precision_recall(one: _OneClass) -> tuple[Floats, Floats, str]:
    precision, recall, _ = metrics.precision_recall_curve(one.is_true, one.probability)
    average = metrics.average_precision_score(one.is_true, one.probability)
    return recall[::-1], precision[::-1], f"average precision {average:.3f}"


def _calibration(one: _OneClass) -> tuple[Floats, Floats, str]:
    true, predicted = calibration_curve(one.is_true, one.probability, n_bins=BINS, strategy="quantile")
    return predicted, true, f"Brier score {metrics.brier_score_loss(one.is_true, one.probability):.3f}"


def _thinned(x: Floats, y: Floats) -> list[tuple[float, float]]:
    """Returns the points of a curve, at most `CURVE_POINTS`, with both ends."""
    chosen = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return list(zip(x[chosen].tolist(), y[chosen].tolist(), strict=True))


def _of_amounts(values: Floats, predicted: Floats) -> Iterator[Figure]:
    some = sampled(len(values), MOST_DOTS)
    note = "" if len(some) == len(values) else f" A random sample of {len(some):,} rows."
    both = [*values.tolist(), *predicted.tolist()]
    ends = axis_over("", both)
    chart = Chart(
        Axis("Predicted", ends.low, ends.high),
        Axis("Actual", ends.low, ends.high),
        f"Actual against predicted values, from {number(min(both))} to {number(max(both))}",
    )
    chart.guide((ends.low, ends.low), (ends.high, ends.high))
    chart.dots(list(zip(predicted[some].tolist(), values[some].tolist(), strict=True)))
    yield Figure("Predicted and actual", chart.svg(), f"Each dot is a row; right predictions are on the line.{note}")
    residuals = values - predicted
    chart = Chart(
        axis_over("Predicted", predicted.tolist()),
        axis_over("Residual", residuals.tolist()),
        f"Residuals against predicted values; their mean is {number(float(residuals.mean()))}",
    )
    chart.guide((chart.x.low, 0), (chart.x.high, 0))
    chart.dots(list(zip(predicted[some].tolist(), residuals[some].tolist(), strict=True)))
    about = "Actual minus predicted value. A good model leaves no pattern: no slope, no curve, no funnel."
    yield Figure("Residuals", chart.svg(), about + note)
    counts, edges = np.histogram(residuals, bins=HISTOGRAM_BINS)
    chart = Chart(
        axis_over("Residual", residuals.tolist()),
        axis_over("Rows", counts.tolist(), at_zero=True),
        f"Histogram of the residuals, from {number(residuals.min())} to {number(residuals.max())}",
    )
    chart.bars(edges.tolist(), counts.tolist())
    yield Figure("Distribution of the residuals", chart.svg(), "How many rows have which difference.")


def importances(held_out: HeldOut) -> tuple[str, list[Importance]]:
    """Returns the metric, and the permutation importance of each feature by it, the largest first."""
    classes = getattr(held_out.pipeline, "classes_", None)
    some = sampled(len(held_out.values), IMPORTANCE_ROWS)
    values = held_out.values[some]
    metric = "r2"
    if classes is not None:
        metric = "roc_auc" if len(classes) == len(set(values.tolist())) == 2 else "balanced_accuracy"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = permutation_importance(
            held_out.pipeline,
            held_out.rows.iloc[some],
            values,
            scoring=metric,
            n_repeats=REPEATS,
            random_state=SEED,
        )
    names = held_out.rows.columns.tolist()
    rows = zip(names, found.importances_mean.tolist(), found.importances_std.tolist(), strict=True)
    return metric, sorted((Importance(*row) for row in rows), key=lambda one: -one.mean)


def sampled(rows: int, most: int) -> npt.NDArray[np.intp]:
    """Returns the positions of all rows, or of a random sample of them."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(SEED).choice(rows, most, replace=False))


def confusion(held_out: HeldOut, most: int) -> tuple[list[str], list[list[int]]]:
    """Returns labels, and for each true label how often each label was predicted.

    With more than `most` classes, the rarest ones share the last place.
    """
    values, predicted = held_out.values.tolist(), held_out.pipeline.predict(held_out.rows).tolist()
    labels: list[Any] = held_out.pipeline.classes_.tolist()
    others = len(labels) > most
    if others:
        labels = [label for label, _ in Counter(values).most_common(most - 1)]
    place = {label: number for number, label in enumerate(labels)}
    last = len(labels)
    found = metrics.confusion_matrix(
        [place.get(value, last) for value in values],
        [place.get(value, last) for value in predicted],
        labels=range(last + others),
    )
    return [*map(str, labels), *(["others"] if others else [])], found.tolist()
