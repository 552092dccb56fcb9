"""The options of a CSV file, by the names and types that the service uses, and their text in a query.

They repeat the table in `rowcast/jobs/option_table.py`, because the client imports nothing of the service and type
checkers read only literal declarations. `tests/rowcast/cli/commands/test_predict_options.py` compares the two.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

from rowcast.wording import name_list


class _ResultOptions(TypedDict, total=False):
    """What predicts a file, and which of its columns come back."""

    #: `NAME`, `NAME@VERSION` or `NAME@ALIAS`.
    model: str | None
    #: `joined` returns the input's columns and the added ones, `predictions` only `key` and the added ones.
    output: Literal["joined", "predictions"] | None
    #: Input columns that `output="predictions"` keeps, as `a,b` or as a list.
    key: str | Sequence[str] | None


class FrameOptions(TypedDict, total=False):
    """How rows are scored, also those of a DataFrame. The service's default applies to what is left out or None."""

    #: Whether to add `probability_CLASS` for each class.
    probabilities: bool
    #: Whether to add what `decision_function` returns, as `score` or as `score_CLASS` for each class.
    scores: bool
    #: Of two classes, the second one is predicted from this probability on; `auto` is the model's own threshold.
    threshold: float | str | None
    #: How many of the most likely classes to add, as `top_1`, `top_1_probability` and so on.
    top: int | None
    #: How many of the features to add that moved each prediction most, as `explanation_1_feature` and so on.
    explain: int | None
    #: Name of the prediction column. Two models add `prediction_NAME` each, with `@VERSION` if they have one name.
    prediction_column: str | None
    #: The columns to add and their names, as `probability_1:score,prediction` or as a mapping.
    columns: str | Sequence[str] | Mapping[str, str] | None
    #: What happens if a row cannot be predicted: `skip` leaves its added cells empty, `fail` fails the job, `column`
    #: adds a column `prediction_error`, which is empty for good rows.
    on_error: Literal["skip", "fail", "column"] | None
    #: The job fails as soon as more rows than this could not be predicted.
    max_errors: int | None


class CsvOptions(_ResultOptions, FrameOptions, total=False):
    """How a file is scored. The service's default applies to an option that is left out or None."""

    #: The job fails if a column or the predictions differ from the model's sample by this PSI or more.
    fail_if_drift: float | None
    #: `auto`, `,`, `;`, `|` or a tab.
    delimiter: str | None
    #: Decimal mark in the cells.
    decimal: Literal[".", ","] | None
    #: `auto`, `utf-8`, `utf-16`, `windows-1252` or `latin-1`.
    encoding: str | None
    #: Cells that mean a missing value, as `NA,n/a` or as a list.
    na_values: str | Sequence[str] | None
    #: False if the file has no header line; its columns are then the model's features in order.
    header: bool
    #: Whether to put an apostrophe before predicted text that a spreadsheet would run as a formula.
    guard_formulas: bool
    #: Which of your files are scored first.
    priority: Literal["low", "normal", "high"] | None
    #: The job fails if it has not ended after this time: seconds, or a text such as `90s`, `15m`, `2h` or `1d`.
    expires_in: int | str | None
    #: Whether to get the job that scored the same file with the same model version and options before, if there is one.
    reuse: bool
    #: Tags to find the job by, as `run:nightly,team:risk` or as a mapping.
    tags: str | Mapping[str, str] | None
    #: An https URL that gets the job as a signed POST when it has ended.
    webhook: str | None


def query_of(options: CsvOptions) -> dict[str, str]:
    """Returns the options as query parameters, for example `{"key": "a,b", "scores": "true"}`."""
    return {name: _text(name, value) for name, value in options.items() if value is not None}


def _text(option: str, value: object) -> str:
    join = name_list.join if option in ("key", "columns") else ",".join
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return join(f"{name}:{text}" for name, text in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return join(map(str, value))
    return "tab" if value == "\t" else str(value)
