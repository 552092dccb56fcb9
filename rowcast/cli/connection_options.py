"""The options that say where the service is, and the client that they make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.data_location import SERVICE_PANEL, NotRunning, find_data_location

if TYPE_CHECKING:
    from rowcast.client import Client

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="Address of the service.",
        envvar="ROWCAST_URL",
        show_default="the service that runs on this machine, or http://127.0.0.1:5000",
        rich_help_panel=SERVICE_PANEL,
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        help="API key to send.",
        envvar="ROWCAST_API_KEY",
        show_envvar=True,
        show_default=False,
        rich_help_panel=SERVICE_PANEL,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="Job id, or enough of its first characters.")]
Out = Annotated[str, typer.Option("--out", "-o", metavar="OUT.csv", help="File to write; - is standard output.")]


def client(url: str | None, api_key: str | None, data: Path | None) -> "Client":
    """Returns a client of the service on the folder `data`, at `url`, or of the only one that runs on this machine.

    httpx is loaded here and not earlier, so that `--help` is quick.

    Raises:
        SeveralServices: several services run, and neither `data` nor `url` is given.
        NotRunning: no service runs on `data`.
    """
    from rowcast.client import Client

    if data or not url:
        location = find_data_location(data, "--data or --url")
        if data and not location.instance:
            raise NotRunning(location.folder)
        url = location.instance.url if location.instance else None
    return Client(url, api_key)
