"""The predictions of past jobs for the keys of a file of actuals: for each key the newest."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rowcast.csv.write import label_text
from rowcast.jobs.actuals.actuals_report import DayMetrics
from rowcast.jobs.job import Job
from rowcast.jobs.results.result_columns import AddedColumn, added_columns
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet
from worker.actuals.known_truths import KnownTruths, index_of
from worker.actuals.measures import Found, of_classes, of_numbers

_MOST_SHARES = 20_000_000
"""Probabilities that are kept at most, in all rows together. With more, there is neither a log loss nor an AUC."""


class Layout:
    """Where the key, the prediction and the probabilities are in the rows of a job's result."""

    def __init__(self, job: Job, manifest: Manifest, key: Sequence[str]) -> None:
        """Raises ValueError if the result lacks the key or the prediction."""
        added: list[AddedColumn] = added_columns(job.spec.options, ModelSet((manifest,)))
        kept = list(job.spec.kept_columns)
        places: dict[tuple[str, int], int] = {}
        for place, column in enumerate(added):
            places.setdefault((column.content, column.place), len(kept) + place)
        self.key = [kept.index(name) for name in key]
        if ("prediction", 0) not in places:
            raise ValueError("the result has no prediction")
        self.prediction = places["prediction", 0]
        classes = len(manifest.classes or [])
        shares = [places.get(("probability", place)) for place in range(classes)]
        #: Columns of the probabilities, in the order of the classes; none if one is missing.
        self.shares = [place for place in shares if place is not None] if classes and None not in shares else []
        self.width = len(kept) + len(added)
        self.delimiter = job.spec.options.delimiter
        self.has_bad_rows = bool(job.rows_failed)

    def read(self, part: bytes) -> pd.DataFrame:
        """Returns the cells of the rows with a prediction, as texts, in columns that are called by their place."""
        wanted = [*self.key, self.prediction, *self.shares]
        if self.has_bad_rows:  # those with too many or too few fields come back as they were sent
            rows = csv.reader(io.StringIO(part.decode(), newline=""), delimiter=self.delimiter)
            whole = pd.DataFrame(
                [row for row in rows if len(row) == self.width], columns=range(self.width), dtype=object
            )
            return whole[sorted(set(wanted))][whole[self.prediction] != ""]
        table = pd.read_csv(
            io.BytesIO(part),
            header=None,
            names=range(self.width),
            usecols=sorted(set(wanted)),
            dtype=str,
            na_filter=False,
            sep=self.delimiter,
        )
        return table[table[self.prediction] != ""]


class JoinedPredictions:
    """Collects predictions. Jobs are added from the newest on, and the parts of each job from the last one on."""

    def __init__(self, known: KnownTruths) -> None:
        self._known = known
        size = len(known.keys)
        self._group = np.full(size, -1, np.int32)
        self._predicted = np.empty(size, object)
        self._shares: NDArray[np.float64] | None = None
        self._groups: list[tuple[str, Manifest]] = []
        self.older_predictions = 0

    @property
    def matched(self) -> int:
        """How many keys have a prediction."""
        return int((self._group >= 0).sum())

    def begin(self, job: Job, manifest: Manifest) -> None:
        """Begins the next job; the parts that follow are its own."""
        day = datetime.fromtimestamp(job.created_ms / 1000, UTC).date().isoformat()
        if (day, manifest) not in self._groups:
            self._groups.append((day, manifest))
        self._current = self._groups.index((day, manifest))

    def add(self, part: bytes, layout: Layout) -> None:
        """Adds the predictions of a part whose keys have no newer one."""
        table = layout.read(part)
        places = self._known.keys.get_indexer(index_of(table[layout.key]))
        is_found = places >= 0
        table, places = table[is_found], places[is_found]
        is_new = (self._group[places] < 0) & ~pd.Index(places).duplicated(keep="last")
        self.older_predictions += int((~is_new).sum())
        table, places = table[is_new], places[is_new]
        self._group[places] = self._current
        self._predicted[places] = table[layout.prediction].to_numpy(object)
        if layout.shares and len(self._known.keys) * len(layout.shares) <= _MOST_SHARES:
            if self._shares is None or self._shares.shape[1] < len(layout.shares):
                wider = np.full((len(self._known.keys), len(layout.shares)), np.nan)
                if self._shares is not None:
                    wider[:, : self._shares.shape[1]] = self._shares
                self._shares = wider
            self._shares[places, : len(layout.shares)] = table[layout.shares].astype("float64").to_numpy()

    def days(self) -> list[DayMetrics]:
        """Returns the metrics of each day and version, oldest first.

        Raises:
            ValueError: a truth or a prediction of a regressor is not a number.
        """
        found: list[DayMetrics] = []
        for group, (day, manifest) in enumerate(self._groups):
            which = np.flatnonzero(self._group == group)
            if len(which):
                metrics = self._metrics(which, manifest)
                found.append({"day": day, "version": manifest.version, "rows": len(which), "metrics": metrics})
        return sorted(found, key=lambda one: (one["day"], int(one["version"])))

    def _metrics(self, which: NDArray[np.intp], manifest: Manifest) -> Found:
        truths, predicted = self._known.truths[which], self._predicted[which]
        if manifest.task == "regression":
            numbers = predicted.astype("float64")
            is_finite = np.isfinite(numbers)  # a model may predict NaN
            return of_numbers(truths.astype("float64")[is_finite], numbers[is_finite])
        codes = _Codes(manifest)
        classes = len(manifest.classes or [])
        shares = None if self._shares is None or self._shares.shape[1] < classes else self._shares[which, :classes]
        is_whole = shares is not None and bool(np.isfinite(shares).all())
        return of_classes(codes.of(truths), codes.of(predicted), classes, shares if is_whole else None)


class _Codes:
    """Labels as numbers: the place of a class, or a further number for each other text.

    A number is the same class however it is written: `1`, `1.0`.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._codes: dict[str, int] = {}
        for place, label in enumerate(manifest.classes or []):
            self._codes[label_text(label)] = place
            if isinstance(label, str):
                self._codes["'" + label] = place  # as `guard_formulas` writes it
            if isinstance(label, bool):
                self._codes[label_text(label).lower()] = place
        self._numbers = {
            float(label): place
            for place, label in enumerate(manifest.classes or [])
            if isinstance(label, int | float) and not isinstance(label, bool)
        }

    def of(self, texts: NDArray[Any]) -> NDArray[np.int64]:
        places, different = pd.factorize(texts)
        return np.array([self._code(text) for text in different], np.int64)[places]

    def _code(self, text: str) -> int:
        if text not in self._codes:
            try:
                known = self._numbers.get(float(text))
            except ValueError:
                known = None
            self._codes[text] = len(self._codes) + len(self._numbers) if known is None else known
        return self._codes[text]
