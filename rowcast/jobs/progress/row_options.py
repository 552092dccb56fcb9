"""The options of single rows that every worker knows. During an update, those of an older release ignore newer ones."""

import time
from collections.abc import Collection

from rowcast.errors import WorkersOutdated
from rowcast.jobs.records.workers import FIRST_ROW_OPTIONS, WorkerRegistry

_FRESH_SECONDS = 1.0
"""How long it is taken for granted which workers are online."""


class RowOptions:
    """Refuses options that a worker would ignore. It asks Redis about the workers of a pool at most once a second."""

    FIRST = frozenset(FIRST_ROW_OPTIONS.split(","))
    """Options that every worker knows."""

    def __init__(self, workers: WorkerRegistry) -> None:
        self._workers = workers
        self._known: dict[str, tuple[float, dict[str, frozenset[str]]]] = {}

    def require(self, options: Collection[str], pool: str) -> None:
        """Checks that all workers of the pool that are online know these options.

        Raises:
            WorkersOutdated: one does not. Unavailable: Redis cannot be reached.
        """
        read_at, known = self._known.get(pool, (float("-inf"), {}))
        if time.monotonic() - read_at >= _FRESH_SECONDS:
            known = self._workers.row_options([one.node for one in self._workers.online() if one.pool == pool])
            self._known[pool] = (time.monotonic(), known)
        for node, taken in sorted(known.items()):
            if unknown := sorted(set(options) - taken):
                raise WorkersOutdated(node, unknown[0])
