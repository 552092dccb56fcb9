"""The counts of one chunk: its rows with a prediction, counted into the bins of the first model's profile."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rowcast.csv import scan
from rowcast.scoring.cell_types import Column
from rowcast.scoring.drift.bin_counter import BinCounter, packed
from rowcast.scoring.table import Observe, Rows


class ChunkCounts:
    """Counts while a chunk is scored. Usually all rows that can be read are predicted, so that they are read once."""

    def __init__(self, counter: BinCounter) -> None:
        self._counter = counter
        self._features: list[NDArray[np.int64]] = []

    def observe(self, columns: Sequence[Column]) -> None:
        """Counts the rows that could be read."""
        self._features = self._counter.of_features(columns)

    def of(
        self,
        read: Rows,
        counted: scan.Positions,
        predictions: NDArray[Any] | None,
        again: Callable[[Observe], object],
    ) -> bytes:
        """Returns the packed counts.

        Args:
            read: The rows that could be read.
            counted: Those that are to be counted, by index. If they are fewer, the chunk is read again.
            predictions: Their predictions; None if they cannot be compared, as with a threshold of the request.
            again: Reads the chunk again, and calls its argument with the columns.
        """
        if len(counted) < len(read.good):
            kept = np.flatnonzero(np.isin(read.good, counted, assume_unique=True))
            again(lambda columns: self.observe([column.take(kept) for column in columns]))
        of_predictions = (
            self._counter.no_predictions if predictions is None else self._counter.of_predictions(predictions)
        )
        return packed([*self._features, *of_predictions])
