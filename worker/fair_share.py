"""The fair share: how a process divides its time between single rows and chunks if both wait."""

from collections.abc import Sequence

from rowcast.jobs.records.leases import Kind

CHUNK_SECONDS_PER_ROW_SECOND = 2.0
"""If rows arrive without pause, chunks get two thirds of the process's time.

A file then has more than half of the time that it has without rows, although the gateway needs processor time for the
rows as well."""

LONGEST_TURN_SECONDS = 0.25
"""Longest time that is remembered, unless one batch of rows took longer (which is remembered whole).

Neither side waits much longer than this, however long the other side had all of the time."""


class FairShare:
    """Counts the time spent on each kind of work. The kind that has had less than its share is served next."""

    def __init__(self) -> None:
        self._owed_to_rows_seconds = 0.0

    @property
    def rows_come_first(self) -> bool:
        """Whether waiting rows are predicted before a chunk continues."""
        return self._owed_to_rows_seconds > 0

    @property
    def order(self) -> Sequence[Kind]:
        """The kinds of work; the one whose turn it is comes first."""
        return ("rows", "chunk") if self.rows_come_first else ("chunk", "rows")

    def add_chunk(self, seconds: float) -> None:
        """Adds time that was spent on a chunk."""
        self._owed_to_rows_seconds = min(LONGEST_TURN_SECONDS, self._owed_to_rows_seconds + seconds)

    def add_rows(self, seconds: float) -> None:
        """Adds time that was spent on one batch of single rows."""
        owed_to_chunks = CHUNK_SECONDS_PER_ROW_SECOND * seconds
        # With less than this batch remembered, a file next to slow rows would get less than half of the time.
        longest = max(LONGEST_TURN_SECONDS, owed_to_chunks)
        self._owed_to_rows_seconds = max(-longest, self._owed_to_rows_seconds - owed_to_chunks)
