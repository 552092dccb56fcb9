"""The time that the model takes for a row, by which files for a slow model are cut into smaller chunks."""

import warnings
from time import perf_counter

from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.predict import Wanted, predict_good, rows_of
from rowcast.scoring.table import Table

_LEAST_ROWS = 64
"""With fewer rows, the time of a call says little about that of a row."""


def row_seconds(model: LoadedModel, table: Table) -> float | None:
    """Returns the time for each row that a call has more than one; None if there are too few rows to say.

    The time that a call takes whatever its rows is left out: a chunk has it once.
    """
    if len(table) < _LEAST_ROWS:
        return None
    first = _seconds(model, rows_of(table, slice(0, 1)))
    return float(f"{max(0.0, _seconds(model, table) - first) / (len(table) - 1):.2g}")


def _seconds(model: LoadedModel, table: Table) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        started = perf_counter()
        predict_good(model, table, Wanted())
    return perf_counter() - started
