"""Keeps an upload alive while it is received, so that upkeep does not take it for dead."""

import time
from collections.abc import Callable

KEEP_ALIVE_SECONDS = 60.0
"""How often a running upload is kept alive: far more often than upkeep takes it for dead (`job_records.py`)."""


class KeepAlive:
    """Calls `touch` with the id of an upload, but at most once in `KEEP_ALIVE_SECONDS`."""

    def __init__(self, touch: Callable[[str], None], id: str) -> None:
        self._touch, self._id = touch, id
        self._touched_at = time.monotonic()

    def __call__(self) -> None:
        """Does so if it is time. Call it with each piece that is received."""
        if time.monotonic() - self._touched_at > KEEP_ALIVE_SECONDS:
            self._touch(self._id)
            self._touched_at = time.monotonic()
