"""The bootstep: what a worker's main process does besides Celery's own work.

It sends heartbeats, notices processes that died, and reconnects a consumer that receives no messages.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import bootsteps
from celery.worker import state
from redis.exceptions import ConnectionError as RedisConnectionError

from rowcast.errors import Unavailable
from rowcast.heartbeat_file import touch_heartbeat_file
from rowcast.jobs.records.celery_queues import queues_of
from rowcast.jobs.records.job_records import fields_about
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.policy import HEARTBEAT_SECONDS, STRIKES_OF_DEATH
from rowcast.jobs.records.redis_client import RedisClient, connect, redis_errors
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.records.workers import Vitals, WorkerRegistry
from rowcast.logs import logger
from rowcast.memory import resident_bytes
from rowcast.settings import Settings
from worker.consumer.stall_detector import RECONNECTS_BEFORE_EXIT, QueueSnapshot, StallDetector
from worker.isolation.fork_server import ForkServer

EXIT_CODE = 70
"""Exit code of a worker whose consumer stays stalled or whose fork server has ended. Its supervisor starts it again."""

CHECK_SECONDS = 0.5
"""Time between two checks for dead worker processes. Celery itself checks every five seconds, and may miss a signal."""


def make_bootstep(settings: Settings, node: str, fork_server: ForkServer) -> type[bootsteps.StartStopStep]:
    """Returns a step of the main process. It uses the timer of Celery's event loop, so that no thread is needed."""

    class Heartbeat(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Timer", "celery.worker.components:Pool")

        def start(self, worker: Any) -> None:
            self._duties = _Duties(worker, settings, node, fork_server)
            self._duties.start()

        def stop(self, worker: Any) -> None:
            self._duties.stop()

    return Heartbeat


class _Duties:
    """What the main process of the worker `node` does again and again, besides Celery's own work."""

    def __init__(self, worker: Any, settings: Settings, node: str, fork_server: ForkServer) -> None:
        redis = connect(settings.redis_url)
        self._worker, self._settings, self._node, self._fork_server = worker, settings, node, fork_server
        self._workers, self._slots = WorkerRegistry(redis), worker.concurrency
        self._leases = Leases(Scripts(redis, settings), node)
        self._redis, self._stall_detector = redis, StallDetector(worker.concurrency)
        self._started, self._processes = time.monotonic(), set[int]()
        self._timers: list[Any] = []

    def start(self) -> None:
        """Begins with all duties, and sends the first heartbeat."""
        call_repeatedly = self._worker.timer.call_repeatedly
        self._timers = [
            call_repeatedly(HEARTBEAT_SECONDS, self._beat, priority=10),
            call_repeatedly(CHECK_SECONDS, self._release_leases_of_dead_processes, priority=10),
            call_repeatedly(CHECK_SECONDS, self._reconnect_if_stalled, priority=10),
            call_repeatedly(CHECK_SECONDS, self._end_without_fork_server, priority=10),
        ]
        self._beat()

    def stop(self) -> None:
        """Ends them, and reports that the worker stops."""
        for timer in self._timers:
            timer.cancel()
        with suppress(Unavailable):  # without heartbeats it counts as offline after ten seconds
            self._workers.remove(self._node, self._slots, self._settings.pool)

    def _beat(self) -> None:
        try:
            self._workers.heartbeat(self._node, self._slots, self._vitals(), self._settings.pool)
            touch_heartbeat_file(self._settings)
        except Unavailable as error:
            logger("worker").warning("heartbeat_failed", reason=error.detail)

    def _vitals(self) -> Vitals:
        pool = self._worker.pool._pool  # None while the worker stops
        processes = {process.pid for process in pool._pool} if pool else set()
        ended, self._processes = self._processes - processes, processes
        sizes = [resident_bytes(pid) for pid in (os.getpid(), *processes)]
        known = [size for size in sizes if size is not None]
        return Vitals(time.monotonic() - self._started, sum(known) if known else None, tuple(ended))

    def _release_leases_of_dead_processes(self) -> None:
        if release_leases(self._redis, self._leases, lambda pid: not _is_alive(pid), strikes=STRIKES_OF_DEATH):
            self._worker.pool._pool.maintain_pool()

    def _end_without_fork_server(self) -> None:
        """Ends the worker, so that its supervisor starts it again: only a main process without threads can fork."""
        if not self._fork_server.lives:
            logger("worker").warning("fork_server_ended")
            state.should_stop = EXIT_CODE

    def _reconnect_if_stalled(self) -> None:
        """Acts as if the connection had broken if the consumer is stalled, so that Celery opens a new one."""
        queues = queues_of(self._settings.pool)
        snapshot = _queue_snapshot(self._redis, queues) if _takes_messages(self._worker, queues) else None
        if snapshot is None or not self._stall_detector.is_stalled(snapshot):
            return
        logger("worker").warning("consumer_stalled", waiting=snapshot.waiting, times=self._stall_detector.reconnects)
        if self._stall_detector.reconnects > RECONNECTS_BEFORE_EXIT:
            state.should_stop = EXIT_CODE
        else:
            raise RedisConnectionError("messages wait in the queue, and none is received")


def _takes_messages(worker: Any, queues: Sequence[str]) -> bool:
    """Returns whether the consumer asks for messages. It does not if the worker stops, or has no connection."""
    consumer = worker.consumer.task_consumer
    return consumer is not None and bool(consumer.consuming_from(queues[0]))


def _queue_snapshot(redis: RedisClient, queues: Sequence[str]) -> QueueSnapshot | None:
    try:
        with redis_errors():
            waiting = sum(redis.llen(queue) for queue in queues)
    except Unavailable:
        return None
    return QueueSnapshot(waiting, len(state.reserved_requests), state.all_total_count[0])


def release_leases(redis: RedisClient, leases: Leases, is_gone: Callable[[int], bool], *, strikes: int) -> int:
    """Ends the leases of this worker's processes for which `is_gone(pid)` is true. Returns how many there were."""

    def has_gone(holder: str) -> bool:
        name, _, pid = holder.rpartition("/")
        return name == leases.holder and is_gone(int(pid))

    try:
        given = leases.release_of_holders(has_gone, strikes=strikes)
    except Unavailable as error:
        logger("worker").warning("leases_not_released", reason=error.detail)
        return 0
    if given:
        about: dict[str, Any] = {"leases": len(given)}
        with suppress(Unavailable):
            about |= fields_about(redis, given)
        logger("worker").warning("leases_released", **about)
    return len(given)


def _is_alive(pid: int) -> bool:
    """Returns whether the process runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):  # outside Linux there is no such file, and Celery reaps the process itself
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return True
