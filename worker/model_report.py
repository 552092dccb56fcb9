"""The report of a worker process: the models that it has open, for the page of the queue, and its connections."""

import os
import time

from rowcast.errors import Unavailable
from rowcast.jobs.records.workers import ProcessConnections, WorkerRegistry
from rowcast.logs import logger
from worker.model_cache import ModelCache

PAUSE_SECONDS = 2.0
"""Shortest time between two reports of the same models. So the time of the last use may be late by as much."""


class ModelReport:
    """Sends the open models of this process to Redis, seldom enough to cost nothing."""

    def __init__(
        self, models: ModelCache, workers: WorkerRegistry, node: str, connections: ProcessConnections | None = None
    ) -> None:
        self._models, self._workers, self._node, self._connections = models, workers, node, connections
        self._due = 0.0
        self._known: frozenset[tuple[str, str]] = frozenset()

    def send_if_due(self) -> None:
        """Sends a report if a model was opened or closed, or if the last report is old. Call it after each work."""
        now, known = time.monotonic(), self._models.versions
        if now < self._due and known == self._known:
            return
        self._due, self._known = now + PAUSE_SECONDS, known
        registered = self._connections.registered if self._connections else ""
        models, loads = self._models.open_models(), self._models.loads
        try:
            self._workers.report_models(self._node, os.getpid(), models, loads, registered)
            self._models.loads.clear()
        except Unavailable as error:
            logger("worker").warning("models_not_reported", reason=error.detail)
