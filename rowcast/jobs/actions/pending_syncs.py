"""The syncs of an upload's files that go on while the next ones arrive."""

from collections import deque

from rowcast.storage import Sync

_AT_ONCE = 2
"""All uploads of a gateway share its threads, so each may use only a few of them."""


class PendingSyncs:
    """The syncs of one upload. Before its job is made, all of them have to end."""

    def __init__(self) -> None:
        self._syncs: deque[Sync] = deque()

    def add(self, sync: Sync) -> None:
        """Adds a sync. If too many go on, it waits for the oldest one. Raises Unavailable if that failed."""
        self._syncs.append(sync)
        if len(self._syncs) > _AT_ONCE:
            self._syncs.popleft().wait()

    def wait(self) -> None:
        """Waits for all. Raises Unavailable if one failed."""
        while self._syncs:
            self._syncs.popleft().wait()
