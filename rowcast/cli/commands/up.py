"""The commands that run the service on this machine: up and demo."""

import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from rowcast.cli.output import say
from rowcast.local.worker_count import WorkerCount

_POOL = re.compile(r"([a-z0-9][a-z0-9-]*)=([1-9][0-9]{0,3})")
"""What `--pool` takes: the name of a pool, and a number of processes."""


def _worker_count(text: str) -> str:
    try:
        WorkerCount.read(text)
    except ValueError:
        raise typer.BadParameter("must be a number from 1 on, auto, or auto:MAX") from None
    return text


def _pools(texts: list[str] | None) -> list[str] | None:
    for text in texts or []:
        if not _POOL.fullmatch(text):
            raise typer.BadParameter(f"must be NAME=N, for example heavy=1, and not {text!r}")
    return texts


Host = Annotated[
    str,
    typer.Option("--host", help="Address to listen on. Beyond loopback needs API keys or ROWCAST_OPEN=true."),
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port to listen on; 0 chooses a free one.")]
DemoWorkers = Annotated[int, typer.Option("--workers", min=1, help="Number of processes that predict.")]
Workers = Annotated[
    str,
    typer.Option(
        "--workers",
        callback=_worker_count,
        metavar="N|auto|auto:MAX",
        help="Number of processes that predict. auto: as many as the work that waits is worth, from 1 up to the number "
        "of cores, or MAX.",
    ),
]
Gateways = Annotated[
    int, typer.Option("--gateways", min=1, help="Number of gateway processes; they listen on the same port.")
]
Pools = Annotated[
    list[str] | None,
    typer.Option(
        "--pool",
        callback=_pools,
        metavar="NAME=N",
        help="Number of processes that predict only for the pool NAME of `ROWCAST_POOLS`. May be repeated.",
    ),
]
DataFolder = Annotated[Path, typer.Option("--data", help="Data folder: models, jobs and results.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(up)
    app.command()(demo)


def up(
    *,
    host: Host = "127.0.0.1",
    port: Port = 5000,
    workers: Workers = "2",
    pool: Pools = None,
    gateways: Gateways = 1,
    data: DataFolder = Path(".rowcast"),
    example: Annotated[
        bool, typer.Option("--example", help="First train the Titanic model, if the registry does not have it.")
    ] = False,
) -> None:
    """Run the whole service on this machine. Ctrl-C stops it.

    Examples:
        rowcast up
        rowcast up --workers auto
        rowcast up --workers 4 --port 8000 --data /srv/rowcast
        rowcast up --workers 2 --pool heavy=1
    """
    _require_unix()
    from rowcast.local.supervisor import Up
    from rowcast.local.up import run

    pools = {name: int(number) for name, _, number in (text.partition("=") for text in pool or [])}
    run(Up(host, port, WorkerCount.read(workers), data, gateways, pools), example=example)


def demo(port: Port = 5000, workers: DemoWorkers = 2, data: DataFolder = Path(".rowcast")) -> None:
    """Start the service, score the passengers of the Titanic, and stop the service.

    Examples:
        rowcast demo
    """
    _require_unix()
    from rowcast.cli.commands.demo import run
    from rowcast.local.supervisor import Up

    run(Up(port=port, workers=WorkerCount(workers, workers), data=data))


def _require_unix() -> None:
    if sys.platform == "win32":
        say("rowcast: `up` and `demo` run on Linux and macOS. On Windows use WSL or Docker Compose.")
        raise typer.Exit(2)
