"""The demo: starts the service, scores the example file, shows the first rows, and stops the service."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.resources import as_file, files
from itertools import islice
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from rowcast.cli.output import say
from rowcast.cli.progress import progress
from rowcast.client import Client, Job
from rowcast.local.gateway_socket import CannotListen, listen
from rowcast.local.supervisor import Service, Up
from rowcast.local.up import say_compiling, train_example
from rowcast.logs import set_up
from rowcast.settings import Settings

RESULT = "titanic-predictions.csv"
_ROWS_SHOWN = 5


def run(up: Up) -> None:
    """Runs the demo.

    Raises:
        RowcastError: the service cannot be started.
        KeyboardInterrupt: a signal asked for the end; everything has been stopped by then.
    """
    settings = Settings.read()
    set_up(settings, "demo")
    with _interruptible(), _service(up, settings) as service:
        say(f"Starting Rowcast at {service.url} ...")
        if service.compiles:
            say_compiling()
        train_example(service, _pause)
        service.wait_ready(_pause)
        target = up.data / RESULT
        began = perf_counter()
        with as_file(files("training.data") / "titanic.csv") as source:
            job = _score(service.url, source, target)
        seconds = perf_counter() - began
        say(f"Scored {job.progress['rows_total']:,} passengers in {seconds:.1f} s. The first {_ROWS_SHOWN}:")
        _show(target)
        say(f"The whole result is in {target}. Stopping ...")


def _service(up: Up, settings: Settings) -> Service:
    return Service(_on_free_port(up), _environment(settings), settings)


def _score(url: str, source: Path, target: Path) -> Job:
    with Client(url) as client, progress() as shown:
        job = client.submit_csv(source, model="titanic", on_progress=shown.uploaded)
        job.wait(on_progress=shown.predicted)
        job.download(target, shown.downloaded)
        return job


def _show(target: Path) -> None:
    with target.open(encoding="utf-8") as lines:
        for line in islice(lines, _ROWS_SHOWN + 1):
            print(line.rstrip("\r\n"))
    sys.stdout.flush()


def _on_free_port(up: Up) -> Up:
    try:
        listen(up.host, up.port).close()
    except CannotListen as error:
        say(f"{error.detail.split(';')[0]}; the demo uses a free one.")
        return replace(up, port=0)
    return up


def _environment(settings: Settings) -> dict[str, str]:
    """Returns the environment of the programs: they log warnings only, and need no API keys on loopback."""
    level = {"ROWCAST_LOG_LEVEL": "warning"} if settings.log_level == "info" else {}
    return {name: value for name, value in os.environ.items() if name != "ROWCAST_API_KEYS_FILE"} | level


def _pause(seconds: float) -> bool:
    sleep(seconds)
    return False


@contextmanager
def _interruptible() -> Iterator[None]:
    """Makes the first SIGINT, SIGTERM or SIGHUP raise KeyboardInterrupt; later ones do not disturb the shutdown."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def interrupt(_number: int, _frame: Any) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
