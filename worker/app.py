"""The worker's Celery application: the tasks, and what happens when its processes start and stop."""

import os
import socket
from typing import Any

from celery import Celery
from celery.apps.worker import Worker
from celery.concurrency import prefork
from celery.signals import setup_logging, worker_process_init, worker_process_shutdown
from celery.worker import components, consumer

from rowcast.jobs.records.celery_queues import CHUNK_TASK, SINGLES_TASK, make_app
from rowcast.jobs.records.leases import Leases
from rowcast.jobs.records.redis_client import connect
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.logs import set_up
from rowcast.settings import Settings
from rowcast.tracing.spans import Tracer
from worker.consumer.bootstep import make_bootstep, release_leases
from worker.consumer.deferred_stop import make_stop_step
from worker.consumer.message_filter import filtered_transport
from worker.isolation.fork_server import ForkServer
from worker.model_cache import MOST_OPEN
from worker.resources import open_resources
from worker.sharing.image_files import ImageFiles
from worker.stop_flag import StopFlag
from worker.work_loop import WorkLoop

IMPORTED_EARLY = (prefork, components, consumer)
"""Modules that Celery would import when it starts. So they are in memory once for all processes of a worker."""


def make_worker(settings: Settings, grace_seconds: float, fork_server: ForkServer) -> Celery:
    """Returns the Celery application with its tasks. After a stop signal, running chunks have `grace_seconds` to end.

    The main process imports what its worker processes will need, so that they start at once and share its memory. It
    opens only the files for shared models: neither connections nor the threads of obstore, BLAS and OpenMP survive a
    fork. All of these start with the first use, not with the import (tests/worker/test_app.py checks that).
    """
    app = make_app(settings)
    app.conf.broker_transport = filtered_transport(app, settings.redis_url, settings.pool)
    node = _node()
    stop_flag = StopFlag()
    app.steps["worker"].add(make_bootstep(settings, node, fork_server))
    app.steps["worker"].add(make_stop_step(grace_seconds, stop_flag))
    _register_tasks(app, settings, node, fork_server, stop_flag)

    @setup_logging.connect(weak=False)
    def _logs(**_: Any) -> None:
        set_up(settings, "worker")

    return app


def run_worker(app: Celery, concurrency: int, log_level: str) -> int:
    """Runs Celery's worker until it stops. Returns its exit code.

    Celery's command line would do the same, and import a hundred modules for shells and prompts.
    """
    worker = Worker(
        app=app,
        concurrency=concurrency,
        loglevel=log_level,
        quiet=True,
        without_mingle=True,
        without_gossip=True,
        without_heartbeat=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


def release_all_leases(settings: Settings, *, strikes: int) -> None:
    """Releases the leases that this worker has. Call it while it has no processes; it leaves no connection.

    At the start they are leases of a killed worker with the same name: a container that is started again has that of
    the worker before. At the end, Celery's signal `worker_shutdown` does not suffice, as a cold shutdown sends none.
    """
    redis = connect(settings.redis_url)
    release_leases(redis, Leases(Scripts(redis, settings), _node()), lambda pid: True, strikes=strikes)
    redis.connection_pool.disconnect()


def _node() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _register_tasks(app: Celery, settings: Settings, node: str, fork_server: ForkServer, stop_flag: StopFlag) -> None:
    """Registers both tasks. They do the same: a message says only that work waits, and its queue sets the priority."""
    loops: list[WorkLoop] = []
    tracers: list[Tracer] = []
    image_files = ImageFiles(MOST_OPEN)  # made here, so that all processes have them

    @worker_process_init.connect(weak=False)
    def _start(**_: Any) -> None:
        resources = open_resources(settings, node, fork_server, image_files)
        loops.append(WorkLoop(resources, stop_flag))
        tracers.append(resources.tracer)
        resources.warm_up()

    @worker_process_shutdown.connect(weak=False)
    def _stop(**_: Any) -> None:
        for tracer in tracers:
            tracer.close()

    @app.task(name=CHUNK_TASK)
    def score_chunk() -> None:
        loops[-1].run()

    @app.task(name=SINGLES_TASK)
    def score_singles() -> None:
        loops[-1].run()
