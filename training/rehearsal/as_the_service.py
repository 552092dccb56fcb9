"""The prediction as a worker makes it: Rowcast's own reading of a CSV or of JSON, and `predict` on the table."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.jobs.options import Options
from rowcast.models.loading.load import LoadedModel
from rowcast.models.model_manifest import Draft, Manifest
from rowcast.models.row_values import row_values
from rowcast.scoring.predict import Wanted, predict
from rowcast.scoring.table import Observe, RowFault, Rows, Table, read, table_of_values
from training.rehearsal.users_script import Answers
from training.sample.sample import Dialect


@dataclass(frozen=True)
class Scored:
    """The service's answers for some rows."""

    answers: Answers
    """For the rows that are good."""
    good: NDArray[np.int64]
    """Their indexes."""
    faults: list[RowFault]
    """Why the others are bad."""


def manifest_of(draft: Draft, name: str = "rehearsal") -> Manifest:
    """Returns a manifest to predict with that is not registered."""
    return Manifest(name=name, version="1", sha256="0" * 64, created_at="", **dict(draft))


def score_csv(model: LoadedModel, data: bytes, dialect: Dialect, methods: Sequence[str]) -> Scored:
    """Scores a CSV with its header line, in one chunk. Raises whatever the estimator raises."""
    found = rows_of_csv(model, data, dialect)
    answers = answers_of(model, found.table, methods) if len(found.good) else {}
    return Scored(answers, found.good, found.faults)


def table_of(model: LoadedModel, data: bytes, dialect: Dialect) -> Table:
    """Returns the good rows of a CSV with its header line, as the model's `predict` takes them."""
    return rows_of_csv(model, data, dialect).table


def score_json(model: LoadedModel, rows: Sequence[Sequence[Any]], methods: Sequence[str]) -> Scored:
    """Scores rows of JSON values, in the order of the model's features, in one call, as they come from a gateway.

    Raises:
        RowValues: a value does not fit its feature.
        Exception: whatever the estimator raises.
    """
    table, messages = table_of_values([row_values(row, model.manifest) for row in rows], model)
    good = np.array([row for row in range(len(rows)) if row not in messages], np.int64)
    faults = [RowFault(row, "", "", message) for row, message in sorted(messages.items())]
    return Scored(answers_of(model, table, methods) if len(good) else {}, good, faults)


def answers_of(model: LoadedModel, table: Any, methods: Sequence[str]) -> Answers:
    """Returns what each method returns in a worker's single call."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = predict(model, table, Wanted("predict_proba" in methods, "decision_function" in methods))
    answers = {"predict": values.predictions}
    if values.probabilities is not None:
        answers["predict_proba"] = values.probabilities
    if values.scores is not None:
        answers["decision_function"] = values.scores.ravel() if values.scores.shape[1] == 1 else values.scores
    return answers


def rows_of_csv(model: LoadedModel, data: bytes, dialect: Dialect, observe: Observe | None = None) -> Rows:
    """Returns the rows of a CSV with its header line, as a worker reads them. `observe` is as in `read_each`."""
    header, _, rows = data.partition(b"\n")
    options = Options(delimiter=dialect.delimiter, decimal=dialect.decimal)  # type: ignore[arg-type]
    return read(rows, _names(header, dialect), model, options, observe=observe)


def _names(header: bytes, dialect: Dialect) -> list[str]:
    """Returns the columns of a header that this package has written, with quotes if necessary."""
    import csv

    return next(csv.reader([header.decode()], delimiter=dialect.delimiter))
