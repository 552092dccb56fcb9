"""The worker's Celery application: the tasks, and what happens when its processes start and stop."""

import os
import socket
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_process_init

from rowcast.jobs.records.celery_queues import CHUNK_TASK, SINGLES_TASK, make_app
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.redis_client import connect
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.logs import set_up
from rowcast.settings import Settings
from worker.consumer.bootstep import make_bootstep, release
from worker.consumer.message_filter import filtered_transport
from worker.resources import open_resources
from worker.work_loop import WorkLoop


def make_worker(settings: Settings) -> Celery:
    """The application with its tasks.

    The main process imports what its pool processes will need, so that they start at once and share its memory, but
    opens nothing: neither connections nor the threads of obstore, BLAS and OpenMP survive a fork, and all of these
    start with the first use, not with the import (tests/worker/test_fork.py holds them to it).
    """
    app = make_app(settings)
    app.conf.broker_transport = filtered_transport(app)
    node = _node()
    app.steps["worker"].add(make_bootstep(settings, node))
    _register_tasks(app, settings, node)

    @setup_logging.connect(weak=False)
    def _logs(**_: Any) -> None:
        set_up(settings, "worker")

    return app


def hand_back(settings: Settings) -> None:
    """Ends what leases this worker still has; to be called when its processes have ended.

    Celery's signal `worker_shutdown` is of no use here: a cold shutdown, which breaks work off, does not send it.
    """
    scripts = Scripts(connect(settings.redis_url), settings)
    release(Leases(scripts, _node()), lambda pid: True, strikes=0)


def _node() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _register_tasks(app: Celery, settings: Settings, node: str) -> None:
    """Registers both tasks. They do the same: a message says only that work waits, and its queue sets the priority."""
    loops: list[WorkLoop] = []

    @worker_process_init.connect(weak=False)
    def _start(**_: Any) -> None:
        resources = open_resources(settings, node)
        loops.append(WorkLoop(resources))
        resources.warm_up()

    @app.task(name=CHUNK_TASK)
    def score_chunk() -> None:
        loops[-1].run()

    @app.task(name=SINGLES_TASK)
    def score_singles() -> None:
        loops[-1].run()
