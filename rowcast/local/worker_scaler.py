"""The worker scaler: runs as many workers of one process, besides the first worker, as are wanted.

It follows the number that upkeep counts. A worker that is not wanted any more takes no new work, ends its chunk, and
exits. So nothing is done twice.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from rowcast.errors import Unavailable
from rowcast.local.supervised_process import SupervisedProcess
from rowcast.local.worker_count import WorkerCount

FOLLOW_SECONDS = 1.0
"""Time between two looks at the number."""

_EXIT_SECONDS = 15.0
"""How long a worker may take to exit after the longest time that its chunk may take. Then it is killed."""

FIRST_NUMBER = 2
"""Number of the first worker that may be added. Number 1 runs always."""


class WorkerScaler:
    """Starts and stops workers in a thread. Only that thread changes which there are, until `close` has ended it."""

    def __init__(
        self,
        count: WorkerCount,
        start: Callable[[int], SupervisedProcess],
        chunk_seconds: float,
        log: Any,
    ) -> None:
        """Takes what to follow.

        Args:
            count: the limits of the number.
            start: starts the worker with a number, from 2 on.
            chunk_seconds: the longest time that a chunk may take.
            log: where a change of the number is logged.
        """
        self._count, self._start, self._log = count, start, log
        self._chunk_seconds = chunk_seconds
        self._running: dict[int, SupervisedProcess] = {}
        self._leaving: dict[int, tuple[SupervisedProcess, float]] = {}
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, redis_url: str) -> None:
        """Follows the number in that Redis from now on."""
        self._thread = threading.Thread(target=self._follow, args=(redis_url,), name="worker-scaler", daemon=True)
        self._thread.start()

    @property
    def processes(self) -> list[SupervisedProcess]:
        """The workers that were added, those that are leaving included."""
        return [*self._running.values(), *(process for process, _ in list(self._leaving.values()))]

    def close(self) -> list[SupervisedProcess]:
        """Ends following. Returns the workers that still run, which the caller stops."""
        self._closing.set()
        if self._thread:
            self._thread.join()
        return self.processes

    def _follow(self, redis_url: str) -> None:
        from rowcast.jobs.records.redis_client import connect, redis_errors  # only if the number is not fixed
        from rowcast.jobs.records.redis_keys import key

        redis = connect(redis_url)
        while not self._closing.wait(FOLLOW_SECONDS):
            self._forget_ended()
            try:
                with redis_errors():
                    wanted = redis.zcard(key("wanted"))
            except Unavailable:  # Redis is away: the workers stay as they are
                continue
            self._run(min(max(wanted, self._count.least), self._count.most))

    def _run(self, number: int) -> None:
        """Starts or stops workers, so that there are `number` with the first one. Those that leave count as places."""
        before = 1 + len(self._running)
        while 1 + len(self._running) < number and 1 + len(self.processes) < self._count.most:
            free = next(one for one in range(FIRST_NUMBER, self._count.most + 1) if self._is_free(one))
            self._running[free] = self._start(free)
        while 1 + len(self._running) > number:
            last = max(self._running)
            leaving = self._running.pop(last)
            leaving.stop()
            self._leaving[last] = leaving, monotonic() + self._chunk_seconds + _EXIT_SECONDS
        if before != 1 + len(self._running):
            self._log.info("workers_scaled", before=before, now=1 + len(self._running))

    def _is_free(self, number: int) -> bool:
        return number not in self._running and number not in self._leaving

    def _forget_ended(self) -> None:
        for number, (process, until) in list(self._leaving.items()):
            if process.ended(0):
                del self._leaving[number]
            elif monotonic() > until:
                self._log.warning("process_killed", process=process.name)
                process.kill()
