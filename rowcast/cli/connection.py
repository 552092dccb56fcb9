"""The connection: the options that say where the service is, and the client that they make."""

from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.place import find_instance

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


def client(url: str | None, api_key: str | None) -> "Client":
    """The client, of the service that runs on this machine if no URL is given.

    httpx is loaded here and not before, so that `--help` is quick.

    Raises:
        SeveralServices: several run.
    """
    from rowcast.client import Client

    if not url and (instance := find_instance("--url")):
        url = instance.url
    return Client(url, api_key)
