"""The connection: the options that say where the service is, and the client that they make."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rowcast.client import Client

Url = Annotated[
    str | None,
    typer.Option("--url", help="The service's address.", envvar="ROWCAST_URL", show_default="http://127.0.0.1:5000"),
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", help="The key to send.", envvar="ROWCAST_API_KEY", show_envvar=True, show_default=False),
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON for machines.")]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


def client(url: str | None, api_key: str | None) -> "Client":
    """The client; httpx is loaded here and not before, so that `--help` is quick."""
    from rowcast.client import Client

    return Client(url, api_key)
