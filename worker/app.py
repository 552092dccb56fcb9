"""The worker's Celery application: the tasks, and what happens when its processes start and stop."""

import os
import re
import socket
from typing import Any

from celery import Celery, bootsteps
from celery.signals import setup_logging, worker_process_init

from rowcast.errors import Unavailable
from rowcast.jobs.alive import show_alive
from rowcast.jobs.connection import connect
from rowcast.jobs.crew import BEAT_SECONDS, Crew
from rowcast.jobs.leases import Leases
from rowcast.jobs.queue import CHUNK_TASK, SINGLES_TASK, make_app
from rowcast.logs import logger, set_up
from rowcast.problem import problem
from rowcast.settings import Settings

_ID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_LOST = problem(500, "Worker lost", "The process that worked on it died, as often as it may.")


def make_worker(settings: Settings) -> Celery:
    """The application with its tasks.

    What a task needs is made in each pool process, after the fork: neither Redis connections, nor obstore's and BLAS'
    threads survive one, and a lean main process starts and forks fast.
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
    _give_back(settings, _node(), lambda pid: True)


def _node() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _register_tasks(app: Celery, settings: Settings, node: str) -> None:
    at_hand: dict[str, Any] = {}

    @worker_process_init.connect(weak=False)
    def _start(**_: Any) -> None:
        from worker.process import Process  # pandas and scikit-learn are loaded here, after the fork

        process = at_hand["process"] = Process(settings, node)
        # A sibling that died holds leases still: its work goes on at once, not when they run out.
        _give_back(settings, node, lambda pid: not _lives(pid))
        process.warm_up(settings.default_model)

    @app.task(name=CHUNK_TASK)
    def score_chunk(id: str, chunk: int) -> None:
        if not _ID.match(str(id)) or type(chunk) is not int or chunk < 0:
            logger("worker").error("message_refused", task=CHUNK_TASK, job=repr(id)[:100], chunk=repr(chunk)[:100])
            return
        at_hand["process"].score_chunk(id, chunk)

    @app.task(name=SINGLES_TASK)
    def score_singles(model: str) -> None:
        if not isinstance(model, str) or "@" not in model:
            logger("worker").error("message_refused", task=SINGLES_TASK, model=repr(model)[:100])
            return
        at_hand["process"].predict_waiting(model)


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


def _give_back(settings: Settings, node: str, is_gone: Any) -> None:
    """Ends the leases of this worker's processes for which `is_gone(pid)` holds."""

    def of_ours(holder: str) -> bool:
        name, _, pid = holder.rpartition("/")
        return name == node and is_gone(int(pid))

    try:
        given = Leases(connect(settings.redis_url), settings, node).give_back_of(of_ours, _LOST)
    except Unavailable as error:
        logger("worker").warning("leases_not_given_back", reason=error.detail)
        return
    if given:
        logger("worker").warning("leases_given_back", leases=given)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
