"""`up`: runs the service until somebody asks for the end."""

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rowcast.api_keys import read as read_keys
from rowcast.local.readiness import Readiness
from rowcast.local.stop_signals import Signals
from rowcast.local.supervisor import Service, StartFailed, Up
from rowcast.logs import set_up
from rowcast.settings import Settings

_LOOK_SECONDS = 0.03


def run(up: Up, *, example: bool = False) -> None:
    """Starts, says in one line on standard output that it is ready, and ends at SIGINT, SIGTERM or SIGHUP.

    Args:
        up: what was asked for.
        example: trains the model that ships, where it is not there yet.

    Raises:
        RowcastError: it cannot be started: a port or folder that is taken, a setting that does not fit.
    """
    settings = Settings.read()
    set_up(settings, "up")
    with Signals() as signals, ExitStack() as stack:
        service = Service(up, dict(os.environ), beyond_loopback=has_keys(settings) or settings.open)
        signals.call_again(service.hurry)
        stack.enter_context(service)
        if example and not trained(service, signals.wait):
            return
        found = service.wait_ready(signals.wait)
        if found:
            _say_ready(service, found)
            signals.wait()
            _say_stopping()


def has_keys(settings: Settings) -> bool:
    """Whether the gateway will ask for keys. They are read here, too: a bad line is told once, before anything starts.

    Raises:
        BadKeysFile: they cannot be read.
    """
    if settings.api_keys_file is None:
        return False
    read_keys(Path(settings.api_keys_file))
    return True


def trained(service: Service, pause: Callable[[float], bool]) -> bool:
    """Has the example trained while the parts start; False when somebody wants the end before it is done.

    The gateway is asked nothing meanwhile: it would remember for a moment that there is no model.

    Raises:
        StartFailed: it cannot be trained.
    """
    training = service.train_example()
    while training.poll() is None:
        if pause(_LOOK_SECONDS):
            return False
    if training.returncode:
        raise StartFailed("The example could not be trained; what it wrote stands above.")
    return True


def _say_stopping() -> None:
    if sys.stderr.isatty():
        print("\nStopping. Work that is not done yet goes on with the next start.", file=sys.stderr, flush=True)


def _say_ready(service: Service, found: Readiness) -> None:
    if not found.has_model:
        print(
            "No model yet. Add one: rowcast models add FILE --name NAME --features-from CSV",
            file=sys.stderr,
            flush=True,
        )
    print(f"Rowcast is ready at {service.url}", flush=True)
