"""The figures of drift that the scripts in Redis and the pages share."""

from typing import NamedTuple

LEAST_SHARE = 0.0001
"""A share in PSI is at least this, because the logarithm of 0 is infinite."""

FEATURES_KEPT = 50
"""How many columns of a batch are kept, those with the largest PSI. Each has at most 52 counts."""

FEATURES_NAMED = 10
"""How many columns the problem of a job that has drifted names."""

DRIFT_SHOWN_SECONDS = 7 * 86_400
"""How long the metrics show the drift of a version's last batch."""

WARN_FROM = 0.2
"""A column with this PSI or a larger one is a warning of the job."""


class DriftCounts(NamedTuple):
    """The rows of a part, counted into the bins of a profile."""

    #: Four bytes for each bin, in the order of the profile (`BinCounter`).
    counts: bytes
    #: What the scripts need of the profile (`Profile.for_redis`).
    profile: str
