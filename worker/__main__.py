"""Starts a worker: `python -m worker [--concurrency N]`. Everything else comes from the settings."""

import argparse
import gc
import os
import sys
import warnings
from pathlib import Path

from rowcast.errors import BadSetting
from rowcast.memory import MIB, keep_memory
from rowcast.settings import Settings


def main() -> int:
    """Runs until SIGTERM: running chunks end, or are handed back after a few seconds."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="A Rowcast worker.")
    parser.add_argument("--concurrency", type=int, default=_cores(), help="processes (default: cores)")
    parser.add_argument("--grace", type=float, default=6, help="seconds that running chunks have to end after SIGTERM")
    options = parser.parse_args()
    # Before anything imports numpy: one thread a process, as there is one process a core.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    # Celery's own remedy for a SIGTERM that would wait for ever: soft shutdown, then cold.
    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")
    try:
        settings = Settings.read()
    except BadSetting as error:
        print(error.detail, file=sys.stderr)
        return 2
    from worker.app import hand_back, make_worker  # after the environment is set: Celery reads it when imported

    app = make_worker(settings)
    app.conf.worker_soft_shutdown_timeout = options.grace
    # Messages are JSON alone, so being root is no more of a risk here than anywhere.
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    # What it asks about is decided in rowcast/jobs/records/celery_queues.py.
    warnings.filterwarnings("ignore", message=r"\s*In Celery 5.1 we introduced an optional breaking change")
    # Celery writes hints about Ctrl-C there, which are wrong here: whoever started the worker ends it.
    sys.__stdout__ = Path(os.devnull).open("w")  # type: ignore[misc]  # noqa: SIM115 - until the process ends
    # The rehearsal has chosen between a frame and an array; scikit-learn's doubts would come with every chunk.
    warnings.filterwarnings("ignore", message="X (has|does not have valid) feature names")
    keep_memory(128 * MIB)
    gc.freeze()  # what is there now is shared with the pool processes for as long as nobody touches it
    try:
        app.worker_main(
            [
                *("--quiet", "worker", "--concurrency", str(options.concurrency), "--pool", "prefork"),
                *("--loglevel", settings.log_level, "--without-mingle", "--without-gossip", "--without-heartbeat"),
            ]
        )
    finally:
        hand_back(settings)
    return 0


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


if __name__ == "__main__":
    sys.exit(main())
