"""The pictures of drift: for each column the shares of the sample and of the batch, side by side in each bin."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rowcast.jobs.drift.batch_drift import BatchDrift, ColumnDrift
from rowcast.jobs.drift.drift_figures import WARN_FROM
from rowcast.models.drift.profile import Bins, NumberBins, Profile, bin_labels

WIDTH, HEIGHT = 320, 72
_WIDEST = 40
_MOST_SAID = 3


@dataclass(frozen=True)
class DriftBar:
    """A bin: two bars in units of the SVG, that of the sample as a frame and that of the batch filled."""

    x: float
    width: float
    #: Height of the sample's bar.
    expected: float
    #: Height of the batch's bar, which is narrower.
    seen: float
    #: Both shares in words.
    about: str


@dataclass(frozen=True)
class DriftPlot:
    """One column. `bars` is empty if the profile is gone."""

    name: str
    is_prediction: bool
    psi: float
    is_warned: bool
    missing: float
    unseen: float | None
    bars: list[DriftBar]
    #: The picture in words: the bins whose shares differ most.
    about: str


def drift_plots(drift: BatchDrift, profile: Profile | None) -> list[DriftPlot]:
    """Returns a picture of each column that is kept, that with the largest PSI first."""
    features = {bins.name: bins for bins in profile.features} if profile else {}
    predictions = {bins.name: bins for bins in profile.predictions} if profile else {}
    return [_plot(column, drift, predictions if column.of == "prediction" else features) for column in drift.columns]


def _plot(column: ColumnDrift, drift: BatchDrift, known: Mapping[str, Bins]) -> DriftPlot:
    bins = known.get(column.name)
    bars, about = _bars(bins, column.counts, drift) if bins else ([], "")
    return DriftPlot(
        name=column.name,
        is_prediction=column.of == "prediction",
        psi=column.psi,
        is_warned=column.psi >= WARN_FROM,
        missing=column.counts[-1] / drift.rows,
        unseen=None if column.unseen is None else column.unseen / drift.rows,
        bars=bars,
        about=about,
    )


def _bars(bins: Bins, counts: Sequence[int], drift: BatchDrift) -> tuple[list[DriftBar], str]:
    expected = [count / drift.sample_rows for count in (*bins.counts, bins.missing)]
    seen = [count / drift.rows for count in counts]
    most = max(*expected, *seen)
    step = min(_WIDEST, WIDTH / len(seen))
    said = [
        f"{label}: {before:.1%} of the sample, {now:.1%} of the batch"
        for label, before, now in zip(_labels(bins), expected, seen, strict=True)
    ]
    bars = [
        DriftBar(
            round(place * step + 1, 1), round(step - 2, 1), _height(before / most), _height(now / most), said[place]
        )
        for place, (before, now) in enumerate(zip(expected, seen, strict=True))
    ]
    differing = sorted(range(len(said)), key=lambda place: -abs(expected[place] - seen[place]))[:_MOST_SAID]
    return bars, "; ".join(said[place] for place in sorted(differing))


def _height(share: float) -> float:
    return round(HEIGHT * share, 1)


def _labels(bins: Bins) -> list[str]:
    if isinstance(bins, NumberBins) and bins.is_date:
        return bin_labels(bins, [f"{datetime.fromtimestamp(cut / 1e6, UTC):%Y-%m-%d %H:%M}" for cut in bins.cuts])
    return bin_labels(bins)
