"""How good the predictions of a model were, by day and version, as it is stored and returned."""

from typing_extensions import TypedDict


class DayMetrics(TypedDict):
    """How good the predictions were that one version made on one day."""

    #: The day on which the jobs were made, UTC, for example `2026-11-28`.
    day: str
    #: The version.
    version: str
    #: Rows whose truth is known.
    rows: int
    #: Name of a metric → its value; null if these rows do not allow it. Of a classifier `accuracy`, `precision`,
    #: `recall`, `f1`, `log_loss` and `roc_auc`, of a regressor `mae`, `rmse` and `r2`.
    metrics: dict[str, float | None]


class ActualsReport(TypedDict):
    """What one file of actuals has led to."""

    #: Name of the model.
    model: str
    #: Columns of the key.
    key: list[str]
    #: Column of the truth.
    truth: str
    #: Rows of the file.
    rows: int
    #: Rows among them for whose key there is a prediction.
    matched: int
    #: Rows for whose key there is none.
    unmatched: int
    #: Rows that were left out because they have no truth.
    without_truth: int
    #: Rows that were left out because a later row of the file has the same key.
    repeated_keys: int
    #: Predictions that were left out because there is a newer one for the same key.
    older_predictions: int
    #: Jobs whose results were joined, also in part.
    jobs: int
    #: Jobs among them of which only the last rows were joined, because their files were removed meanwhile.
    jobs_in_part: int
    #: Jobs that were passed over, because their results lack the key or the predictions, or are gone.
    jobs_without_key: int
    #: The metrics of each day and version, oldest first.
    days: list[DayMetrics]


class MetricsOverTime(TypedDict):
    """How good the predictions of a model were: for each day and version, as the last file that has it says."""

    #: Name of the model.
    model: str
    #: The metrics of each day and version, oldest first.
    days: list[DayMetrics]
