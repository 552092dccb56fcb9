"""Time slices: a chunk is predicted in short slices, so that single rows need not wait for all of it."""

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from rowcast.scoring.predict import Predicted, Wanted, predict_good, rows_of
from rowcast.scoring.table import Table

if TYPE_CHECKING:
    from rowcast.models.loading.load import LoadedModel

SLICE_SECONDS = 0.25
"""Intended time of one call of `predict`. Most chunks take less, and are predicted in one call."""

STEP_ROWS = 64
"""Slices have a multiple of this many rows, as chunks have: BLAS treats odd rows at the end of a block differently."""

_FIRST_ROWS = 256
"""Rows of the first slice if the model's speed is not known. Each call has a fixed cost, so fewer rows say little."""


class TimeSlices:
    """Predicts in slices. `between` is called before each slice and after the last one."""

    def __init__(self, between: Callable[[], None]) -> None:
        self._between = between
        #: Of models, by name, version and whether their predictions are explained, which takes far longer.
        self._row_seconds: dict[tuple[str, str, bool], float] = {}

    def predict_good(self, model: "LoadedModel", table: Table, wanted: Wanted) -> Predicted:
        """Returns the same as `rowcast.scoring.predict.predict_good`."""
        name = (model.manifest.name, model.manifest.version, wanted.explain > 0)
        slices: list[Predicted] = []
        begin = 0
        while begin < len(table) or not slices:
            self._between()
            end = min(len(table), begin + rows_per_slice(self._row_seconds.get(name)))
            is_whole = begin == 0 and end == len(table)
            started = perf_counter()
            rows = table if is_whole else _piece(table, begin, end)
            slices.append(predict_good(model, rows, wanted))
            if end - begin >= _FIRST_ROWS:
                self._row_seconds[name] = (perf_counter() - started) / (end - begin)
            begin = end
        self._between()
        return joined(slices)


def rows_per_slice(row_seconds: float | None) -> int:
    """Returns the rows of the next slice. `row_seconds` is the time of one row, or None if it is not known."""
    if row_seconds is None:
        return _FIRST_ROWS
    return max(STEP_ROWS, int(SLICE_SECONDS / max(row_seconds, 1e-9)) // STEP_ROWS * STEP_ROWS)


def _piece(table: Table, begin: int, end: int) -> Table:
    """Returns some rows with an index that starts at 0, as in a chunk: a pipeline may join columns by it."""
    piece = rows_of(table, slice(begin, end))
    return piece.reset_index(drop=True) if isinstance(piece, pd.DataFrame | pd.Series) else piece


def joined(slices: Sequence[Predicted]) -> Predicted:
    """Returns what was predicted of all rows, given the slices in their order."""
    if len(slices) == 1:
        return slices[0]
    begin, good, faults = 0, [], {}
    for predicted in slices:
        good.append(predicted.good + begin)
        faults.update({begin + row: why for row, why in predicted.faults.items()})
        begin += len(predicted.good) + len(predicted.faults)
    # A slice without good rows has no values, so the type of its values is not that of the model's.
    first, *others = [predicted.values for predicted in slices if len(predicted.good)] or [slices[0].values]
    return Predicted(first.joined(others), np.concatenate(good), faults)
