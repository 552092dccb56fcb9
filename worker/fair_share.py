"""The share: how one process divides its time between single rows and chunks while both wait."""

from collections.abc import Sequence

from rowcast.jobs.records.leases import Kind

CHUNK_SECONDS_PER_ROW_SECOND = 2.0
"""If rows want all that they can get, chunks get two thirds of the process's time. That leaves a file more than half of
what it has alone, although the gateway needs a processor for the rows as well."""

LONGEST_TURN_SECONDS = 0.25
"""Time that is remembered, unless one batch of rows took longer (then it is remembered whole). So neither side waits
for much more than this, however long the other had everything."""


class FairShare:
    """Counts the time spent on each side; whichever had less of its share comes first."""

    def __init__(self) -> None:
        self._owed_to_rows_seconds = 0.0

    @property
    def rows_come_first(self) -> bool:
        """Whether rows that wait are predicted before a chunk goes on."""
        return self._owed_to_rows_seconds > 0

    @property
    def order(self) -> Sequence[Kind]:
        """The kinds of work, first the one whose turn it is."""
        return ("rows", "chunk") if self.rows_come_first else ("chunk", "rows")

    def add_chunk(self, seconds: float) -> None:
        """Counts time that was spent on a chunk."""
        self._owed_to_rows_seconds = min(LONGEST_TURN_SECONDS, self._owed_to_rows_seconds + seconds)

    def add_rows(self, seconds: float) -> None:
        """Counts time that was spent on one batch of single rows."""
        owed_to_chunks = CHUNK_SECONDS_PER_ROW_SECOND * seconds
        # With less than this batch remembered, a file beside slow rows would get less than half of the time.
        longest = max(LONGEST_TURN_SECONDS, owed_to_chunks)
        self._owed_to_rows_seconds = max(-longest, self._owed_to_rows_seconds - owed_to_chunks)
