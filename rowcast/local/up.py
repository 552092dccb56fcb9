"""The command `up`: runs the service until a stop signal."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rowcast.api_keys import read as read_keys
from rowcast.errors import RowcastError
from rowcast.local.readiness import Readiness
from rowcast.local.supervisor import Service, StartFailed, Up
from rowcast.logs import logger, set_up
from rowcast.pools import read_pools
from rowcast.settings import Settings
from rowcast.stop_signals import StopSignals

_POLL_SECONDS = 0.03


def run(up: Up, *, example: bool = False) -> None:
    """Runs the service until SIGINT, SIGTERM or SIGHUP. Prints one line on standard output when it is ready.

    Args:
        up: the options of the command.
        example: whether to train the example model if it is missing.

    Raises:
        RowcastError: the service cannot be started, for example because the port or the data folder is taken.
    """
    settings = Settings.read()
    set_up(settings, "up")
    _check_pools(up, settings)
    with StopSignals() as signals, ExitStack() as stack:
        is_open = has_keys(settings) or settings.open
        service = Service(up, dict(os.environ), settings, beyond_loopback=is_open)
        signals.call_again(service.hurry)
        stack.enter_context(service)
        if service.compiles:
            say_compiling()
        if example and not train_example(service, signals.wait):
            return
        found = service.wait_ready(signals.wait)
        if found:
            _say_ready(service, found)
            signals.wait()
            _say_stopping()


def _check_pools(up: Up, settings: Settings) -> None:
    """Compares the pools that get workers with those that the settings have.

    Raises:
        RowcastError: the settings do not have one of them, so that its workers would get no work.
    """
    names = read_pools(settings.pools).names
    for pool in up.pools:
        if pool not in names:
            raise RowcastError(f"ROWCAST_POOLS names no pool {pool!r}, so --pool {pool} would serve no model.")
    without = [pool for pool in names if pool not in up.pools]
    if without:
        logger("up").warning("pools_without_worker", pools=without, start_them_with="--pool NAME=N")


def has_keys(settings: Settings) -> bool:
    """Returns whether the gateway will require API keys. Reads the file, so that a bad line stops `up` at once.

    Raises:
        BadKeysFile: the file cannot be read, or has a malformed line.
    """
    if settings.api_keys_file is None:
        return False
    read_keys(Path(settings.api_keys_file))
    return True


def train_example(service: Service, pause: Callable[[float], bool]) -> bool:
    """Trains the example model while the programs start. Returns False if `pause` returned True before the end.

    The gateway is not polled meanwhile, because it would remember for a moment that there is no model.

    Raises:
        StartFailed: the model cannot be trained.
    """
    training = service.train_example()
    while training.poll() is None:
        if pause(_POLL_SECONDS):
            return False
    if training.returncode:
        raise StartFailed("The example model could not be trained. The reason is above.")
    return True


def say_compiling() -> None:
    """Says why the first start takes longer than later ones."""
    print("Compiling the fast path for trees. This is done once and takes some seconds.", file=sys.stderr, flush=True)


def _say_stopping() -> None:
    if sys.stderr.isatty():
        print("\nStopping. Unfinished jobs continue at the next start.", file=sys.stderr, flush=True)


def _say_ready(service: Service, found: Readiness) -> None:
    if not found.has_model:
        print(
            "No model yet. Add one with: rowcast models add FILE --name NAME --features-from CSV",
            file=sys.stderr,
            flush=True,
        )
    print(f"Rowcast is ready at {service.url}", flush=True)
