"""The commands that run the service on this machine: up and demo."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from rowcast.cli.output import say

Host = Annotated[
    str, typer.Option("--host", help="The address to listen on; beyond loopback with API keys or ROWCAST_OPEN=true.")
]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes that predict.")]
DataFolder = Annotated[Path, typer.Option("--data", help="The folder for everything that it keeps.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(up)
    app.command()(demo)


def up(
    host: Host = "127.0.0.1",
    port: Port = 5000,
    workers: Workers = 2,
    data: DataFolder = Path(".rowcast"),
    example: Annotated[
        bool, typer.Option("--example", help="Train the Titanic model first, if it is missing.")
    ] = False,
) -> None:
    """Run the whole service on this machine until Ctrl-C."""
    _require_unix()
    from rowcast.local.supervisor import Up
    from rowcast.local.up import run

    run(Up(host, port, workers, data), example=example)


def demo(port: Port = 5000, workers: Workers = 2, data: DataFolder = Path(".rowcast")) -> None:
    """Start the service, score the passengers of the Titanic, and stop it again."""
    _require_unix()
    from rowcast.cli.demo import run
    from rowcast.local.supervisor import Up

    run(Up(port=port, workers=workers, data=data))


def _require_unix() -> None:
    if sys.platform == "win32":
        say("rowcast: the service on one machine runs on Linux and macOS; on Windows use WSL or Docker Compose.")
        raise typer.Exit(2)
