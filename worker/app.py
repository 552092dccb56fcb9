"""The worker's Celery application: the tasks, and what happens when its processes start and stop."""

import os
import re
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from celery import Celery, bootsteps
from celery.signals import setup_logging, worker_process_init

from rowcast.errors import Unavailable
from rowcast.jobs.alive import show_alive
from rowcast.jobs.connection import connect
from rowcast.jobs.crew import BEAT_SECONDS, Crew
from rowcast.jobs.leases import Leases
from rowcast.jobs.queue import CHUNK_TASK, SINGLES_TASK, make_app
from rowcast.jobs.scripts import STRIKES_OF_DEATH
from rowcast.logs import logger, set_up
from rowcast.settings import Settings
from worker.process import Process

_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")


def make_worker(settings: Settings) -> Celery:
    """The application with its tasks.

    The main process imports what its pool processes will need, so that they start at once and share its memory, but
    opens nothing: neither connections nor the threads of obstore, BLAS and OpenMP survive a fork, and all of these
    start with the first use, not with the import (tests/worker/test_fork.py holds them to it).
    """
    app = make_app(settings)
    node = _node()
    app.steps["worker"].add(_heartbeat(settings, node))
    _register_tasks(app, settings, node)

    @setup_logging.connect(weak=False)
    def _logs(**_: Any) -> None:
        set_up(settings, "worker")

    return app


def hand_back(settings: Settings) -> None:
    """Ends what leases this worker still has; to be called when its processes have ended.

    Celery's signal `worker_shutdown` is of no use here: a cold shutdown, which breaks work off, does not send it.
    """
    _give_back(settings, _node(), lambda pid: True, strikes=0)


def _node() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _register_tasks(app: Celery, settings: Settings, node: str) -> None:
    at_hand: dict[str, Any] = {}

    @worker_process_init.connect(weak=False)
    def _start(**_: Any) -> None:
        process = at_hand["process"] = Process(settings, node)
        # A sibling that died holds leases still: its work goes on at once, not when they run out.
        _give_back(settings, node, lambda pid: not _lives(pid), strikes=STRIKES_OF_DEATH)
        process.warm_up(settings.default_model)

    @app.task(name=CHUNK_TASK)
    def score_chunk(*arguments: Any) -> None:
        match arguments:
            case (str(id), int(chunk)) if _ID.match(id) and chunk >= 0:
                at_hand["process"].score_chunk(id, chunk)
            case _:
                _refuse(CHUNK_TASK, arguments)

    @app.task(name=SINGLES_TASK)
    def score_singles(*arguments: Any) -> None:
        match arguments:
            case (str(model),) if "@" in model:
                at_hand["process"].predict_waiting(model)
            case _:
                _refuse(SINGLES_TASK, arguments)


def _refuse(task: str, arguments: tuple[Any, ...]) -> None:
    logger("worker").error("message_refused", task=task, arguments=repr(arguments)[:200])


def _heartbeat(settings: Settings, node: str) -> type[bootsteps.StartStopStep]:
    """A step of the worker's main process that shows a sign of life every two seconds, on its event loop's timer."""

    class Heartbeat(bootsteps.StartStopStep):
        requires = ("celery.worker.components:Timer", "celery.worker.components:Pool")

        def start(self, worker: Any) -> None:
            self._crew = Crew(connect(settings.redis_url))
            self._slots = worker.concurrency
            self._timer = worker.timer.call_repeatedly(BEAT_SECONDS, self._beat, priority=10)
            self._beat()

        def stop(self, worker: Any) -> None:
            self._timer.cancel()
            try:
                self._crew.leave(node, self._slots)
            except Unavailable:
                return  # it is forgotten after ten seconds anyway

        def _beat(self) -> None:
            try:
                self._crew.beat(node, self._slots)
                show_alive(settings)
            except Unavailable as error:
                logger("worker").warning("no_sign_of_life", reason=error.detail)

    return Heartbeat


def _give_back(settings: Settings, node: str, is_gone: Callable[[int], bool], *, strikes: int) -> None:
    """Ends the leases of this worker's processes for which `is_gone(pid)` holds."""

    def of_ours(holder: str) -> bool:
        name, _, pid = holder.rpartition("/")
        return name == node and is_gone(int(pid))

    try:
        given = Leases(connect(settings.redis_url), settings, node).give_back_of(of_ours, strikes=strikes)
    except Unavailable as error:
        logger("worker").warning("leases_not_given_back", reason=error.detail)
        return
    if given:
        logger("worker").warning("leases_given_back", leases=given)


def _lives(pid: int) -> bool:
    """Whether the process is there and no zombie: a new pool process may start before its dead sibling is reaped."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with suppress(OSError):  # no such file outside Linux: there a lease's end has to do
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z"
    return True
