"""The commands for API keys. They change the file; a running gateway reads the change within a second."""

from pathlib import Path
from typing import Annotated, Literal

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
    role: Annotated[
        Literal["user", "admin"], typer.Option("--role", help="A user sees only their own jobs, an admin all jobs.")
    ] = "user",
) -> None:
    """Create a key, print it once, and append its digest to the file.

    Examples:
        rowcast keys new alice
        rowcast keys new root --role admin
    """
    from rowcast.api_keys import Role
    from rowcast.api_keys import new as new_key

    file = _file(file, data)
    print(new_key(file, name, Role(role)))
    say(f"Added {name} to {file}. The key is stored nowhere else: keep it.")


def list_keys(file: File = None, data: Data = None, json: Json = False) -> None:
    """List the names and roles of the keys, with the beginnings of their digests.

    Examples:
        rowcast keys list
    """
    from rowcast.api_keys import read

    found = [(key.name, key.role.value, key.digest.hex()) for key in read(_file(file, data))]
    if json:
        print_json([{"name": name, "role": role, "sha256": digest} for name, role, digest in found])
        return
    print_table(["name", "role", "sha256"], ([name, role, digest[:12]] for name, role, digest in found))


def remove(name: Name, file: File = None, data: Data = None) -> None:
    """Remove a key from the file. The gateway then refuses it.

    Examples:
        rowcast keys remove alice
    """
    from rowcast.api_keys import remove as remove_key

    file = _file(file, data)
    remove_key(file, name)
    say(f"Removed {name} from {file}.")


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
