"""The commands for API keys. They change the file; a running gateway reads the change within a second."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from rowcast.cli.connection_options import Json
from rowcast.cli.data_location import Data, find_data_location
from rowcast.cli.output import print_json, print_table, say
from rowcast.cli.typer_app import App

keys = App(help="Create, list and remove API keys.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(metavar="NAME", help="Owner of the key. Jobs created with the key belong to this name."),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="File of API keys.",
        envvar="ROWCAST_API_KEYS_FILE",
        show_envvar=True,
        show_default="that of the running service",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    keys.command()(new)
    keys.command("list")(list_keys)
    keys.command()(remove)
    app.add_typer(keys, name="keys")


def new(
    name: Name,
    file: File = None,
    data: Data = None,
    *,
    role: Annotated[
        str,
        typer.Option(
            "--role",
            metavar="ROLE",
            help="A `user` sees only their own jobs, an `admin` all jobs. Or scopes with + between them: `predict`, "
            "`read` (all jobs), `models` (aliases).",
        ),
    ] = "user",
    expires: Annotated[
        datetime | None,
        typer.Option("--expires", formats=["%Y-%m-%d"], help="Last day on which the key is valid (UTC)."),
    ] = None,
) -> None:
    """Create a key, print it once, and append its digest to the file.

    Examples:
        rowcast keys new alice --expires 2027-01-31
        rowcast keys new root --role admin
        rowcast keys new dashboard --role read
    """
    from rowcast.api_keys import new as new_key

    file = _file(file, data)
    print(new_key(file, name, role, expires.date() if expires else None))
    say(f"Added {name} to {file}. The key is stored nowhere else: keep it.")


def list_keys(file: File = None, data: Data = None, json: Json = False) -> None:
    """List the names and roles of the keys, the beginnings of their digests, and when they expire.

    Examples:
        rowcast keys list
    """
    from rowcast.api_keys import read

    found = [
        {
            "name": key.name,
            "role": key.role,
            "scopes": sorted(key.scopes),
            "sha256": key.digest.hex(),
            "expires": str(key.expires) if key.expires else None,
            "expired": key.has_expired(),
        }
        for key in read(_file(file, data))
    ]
    if json:
        print_json(found)
        return
    rows = ([key["name"], key["role"], str(key["sha256"])[:12], _expires(key)] for key in found)
    print_table(["name", "role", "sha256", "expires"], rows)


def remove(name: Name, file: File = None, data: Data = None) -> None:
    """Remove a key from the file. The gateway then refuses it.

    Examples:
        rowcast keys remove alice
    """
    from rowcast.api_keys import remove as remove_key

    file = _file(file, data)
    remove_key(file, name)
    say(f"Removed {name} from {file}.")


def _expires(key: Mapping[str, object]) -> str:
    if key["expires"] is None:
        return "never"
    return f"{key['expires']} (expired)" if key["expired"] else str(key["expires"])


def _file(file: Path | None, data: Path | None) -> Path:
    """Returns the file to work on.

    Raises:
        BadParameter: no file is named, and no service with API keys is running.
    """
    if file is not None and data is None:
        return file
    instance = find_data_location(data).instance
    if instance and instance.api_keys_file:
        return Path(instance.api_keys_file)
    if file is not None:
        return file
    found = f"the service at {instance.url} has no API keys" if instance else "no service is running"
    raise typer.BadParameter(
        f"is needed, because {found}. Start the service with ROWCAST_API_KEYS_FILE=FILE to require keys.",
        param_hint="--file",
    )
