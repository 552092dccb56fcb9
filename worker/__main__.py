"""Starts a worker: `python -m worker [--concurrency N] [--grace SECONDS]`. The rest comes from the settings."""

import argparse
import gc
import os
import sys
import warnings
from pathlib import Path

from rowcast.errors import BadSetting, UnusableRedis
from rowcast.jobs.records.policy import STRIKES_OF_DEATH
from rowcast.jobs.records.redis_client import refuse_unusable
from rowcast.logs import logger, set_up
from rowcast.memory import MIB, keep_memory, release_code
from rowcast.settings import Settings
from rowcast.tracing.export import why_not_exported

GRACE_SECONDS = 6.0
"""How long running chunks may go on after SIGTERM, if `--grace` does not say otherwise."""


def main() -> int:
    """Runs until SIGTERM. Running chunks then have a few seconds to end; the leases of the others are released."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="A Rowcast worker.")
    parser.add_argument(
        "--concurrency", type=int, default=_cores(), help="number of processes (default: number of cores)"
    )
    parser.add_argument(
        "--grace",
        type=float,
        default=GRACE_SECONDS,
        help=f"time for running chunks to end after SIGTERM, in seconds (default: {GRACE_SECONDS:g})",
    )
    options = parser.parse_args()
    _set_environment()
    try:
        settings = Settings.read()
        refuse_unusable(settings.redis_url)
    except (BadSetting, UnusableRedis) as error:
        print(error.detail, file=sys.stderr)
        return 2
    gc.disable()  # collections while modules are imported take a tenth of the start
    # After the environment is set: Celery reads it when imported.
    from worker.app import make_worker, release_all_leases, run_worker
    from worker.compiled_functions import compiled_functions
    from worker.isolation import isolated_process
    from worker.isolation.fork_server import ForkServer

    _ignore_warnings()
    # Celery prints advice about Ctrl-C there, which is wrong here: the program that started the worker stops it.
    sys.__stdout__ = Path(os.devnull).open("w")  # type: ignore[misc]  # noqa: SIM115 - until the process ends
    keep_memory(128 * MIB)
    set_up(settings, "worker")
    if (why := why_not_exported()) is not None:
        logger("worker").warning("traces_not_exported", reason=why)
    with compiled_functions(trees=settings.fast_trees), ForkServer.started(isolated_process.run) as fork_server:
        app = make_worker(settings, options.grace, fork_server)
        release_code()  # this process will only receive messages, and its processes bring back what they need
        gc.freeze()  # objects that exist now stay shared with the worker processes, as no collection writes to them
        gc.enable()
        release_all_leases(settings, strikes=STRIKES_OF_DEATH)
        try:
            return run_worker(app, options.concurrency, settings.log_level)
        finally:
            release_all_leases(settings, strikes=0)


def _set_environment() -> None:
    """Sets what libraries read from the environment when they are imported."""
    # Before numpy is imported: one thread per process, as there is one process per core.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # Before pandas is imported, which imports pyarrow: its allocator would start a thread, which a fork ends.
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    # By default, Celery waits on SIGTERM without a limit. This makes it a cold shutdown, before which
    # worker/consumer/deferred_stop.py waits for a limited time.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")


def _ignore_warnings() -> None:
    # Celery warns of pickled messages. Ours are JSON only, so running as root adds no risk here.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    # The setting that this warning asks for is made in rowcast/jobs/records/celery_queues.py.
    warnings.filterwarnings("ignore", message=r"\s*In Celery 5.1 we introduced an optional breaking change")
    # The rehearsal has chosen between a frame and an array; scikit-learn would warn about the choice at each chunk.
    warnings.filterwarnings("ignore", message="X (has|does not have valid) feature names")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
