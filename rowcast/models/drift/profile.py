"""The profile of a version: how often each value came in the sample, per feature and for the predictions.

It is the file `profile.json` next to a version's manifest, for example

    {"rows": 1309, "features": [{"name": "age", "low": 0.4, "high": 80.0, "cuts": [22.0, 36.0], "counts": [351, 348,
    347], "missing": 263}], "predictions": [{"name": "prediction", "values": ["0", "1"], "counts": [952, 357, 0],
    "missing": 0}]}

docs/drift.md says how bins are chosen.
"""

import json
from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

from pydantic import BaseModel, ConfigDict

LEAST_ROWS = 200
"""A smaller sample gets no profile, and a smaller batch no PSI: shares of so few rows differ by chance."""

MAX_FEATURES = 500
"""How many features of a model are in its profile: the first ones. Each commit adds up the counts of all of them."""

MOST_VALUES = 50
"""How many values of a text, boolean or category have a separate bin."""


class NumberBins(BaseModel):
    """The bins of numbers or dates (µs since 1970). Bin i has the numbers above cut i - 1, up to and including cut i.

    The first bin has no lower end, and the last one no upper end.
    """

    model_config = ConfigDict(frozen=True)

    #: Name of the column.
    name: str
    #: Whether the numbers are dates, in microseconds since 1970 (UTC).
    is_date: bool = False
    #: The smallest number of the sample.
    low: float
    #: The largest number of the sample.
    high: float
    #: The ends of all bins but the last, ascending.
    cuts: list[float]
    #: Rows of the sample in each bin; one more than there are cuts.
    counts: list[int]
    #: Rows of the sample without a value.
    missing: int

    @property
    def knows_unseen(self) -> bool:
        """Whether unseen values can be counted: here, those outside the range of the sample."""
        return True


class ValueBins(BaseModel):
    """The bins of texts, booleans, categories or classes: one for each frequent value, and one for all others."""

    model_config = ConfigDict(frozen=True)

    #: Name of the column.
    name: str
    #: The most frequent values of the sample as texts, at most `MOST_VALUES`.
    values: list[str]
    #: Rows of the sample with each of these values, and then those with any other value.
    counts: list[int]
    #: Rows of the sample without a value.
    missing: int

    @property
    def knows_unseen(self) -> bool:
        """Whether unseen values can be counted: only if every value of the sample has a bin."""
        return self.counts[-1] == 0


Bins = NumberBins | ValueBins


class Profile(BaseModel):
    """How the sample was distributed when a version was registered."""

    model_config = ConfigDict(frozen=True)

    #: Rows of the sample.
    rows: int
    #: The first features, in the order of the model's table.
    features: list[Bins]
    #: The model's outputs, at most 20: `prediction`, or `prediction_OUTPUT` for each.
    predictions: list[Bins]

    @property
    def columns(self) -> Sequence[Bins]:
        """The features, then the predictions. Counts of a batch are in this order."""
        return [*self.features, *self.predictions]

    @cached_property
    def for_redis(self) -> str:
        """What the script that ends a job needs, as JSON: the sample's rows, and the bins of each column.

        Each column is `[name, 1 if it is a prediction, 1 if it knows unseen values, counts of the sample]`. The last
        of the counts is that of missing values.
        """
        features, known = len(self.features), enumerate(self.columns)
        columns = [
            [bins.name, int(place >= features), int(bins.knows_unseen), [*bins.counts, bins.missing]]
            for place, bins in known
        ]
        return json.dumps({"rows": self.rows, "columns": columns})


def bin_labels(bins: Bins, said: "Sequence[str] | None" = None) -> list[str]:
    """Returns what each bin is called, the last one `missing`. `said` are the cuts as texts, if they are dates."""
    if isinstance(bins, ValueBins):
        return [*bins.values, "other", "missing"]
    texts = list(said) if said is not None else [f"{cut:.6g}" for cut in bins.cuts]
    if not texts:
        return ["any number", "missing"]
    between = [f"over {low} to {high}" for low, high in pairwise(texts)]
    return [f"up to {texts[0]}", *between, f"over {texts[-1]}", "missing"]
