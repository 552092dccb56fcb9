"""The connection: the options that say where the service is, and the client that they make."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.data_location import NotRunning, find_place

if TYPE_CHECKING:
    from rowcast.client import Client

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        help="The service's address.",
        envvar="ROWCAST_URL",
        show_default="that of the service that runs on this machine, or http://127.0.0.1:5000",
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", help="The key to send.", envvar="ROWCAST_API_KEY", show_envvar=True, show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id, or enough of its beginning.")]
Out = Annotated[
    str, typer.Option("--out", "-o", metavar="OUT.csv", help="Where the result goes; - is standard output.")
]


def client(url: str | None, api_key: str | None, data: Path | None) -> "Client":
    """The client: of the service that runs on `data`, of `url`, or of the only one that runs on this machine.

    httpx is loaded here and not before, so that `--help` is quick.

    Raises:
        SeveralServices: several run, and neither is given.
        NotRunning: none runs on `data`.
    """
    from rowcast.client import Client

    if data or not url:
        place = find_place(data, "--data or --url")
        if data and not place.instance:
            raise NotRunning(place.data)
        url = place.instance.url if place.instance else None
    return Client(url, api_key)
