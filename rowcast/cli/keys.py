"""The commands for API keys: they work on the file itself; a gateway that runs sees the change within a second."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rowcast.cli.connection_options import Json
from rowcast.cli.data_location import Data, find_place
from rowcast.cli.output import say, show_json, show_table

keys = typer.Typer(help="Make, list and remove API keys.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Whose key it is; the jobs made with it belong to that name.")
]
File = Annotated[
    Path | None,
    typer.Option(
        "--file",
        help="The file of keys.",
        envvar="ROWCAST_API_KEYS_FILE",
        show_envvar=True,
        show_default="that of the service that runs",
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
        Literal["user", "admin"], typer.Option("--role", help="A user sees its own jobs alone, an admin all.")
    ] = "user",
) -> None:
    """Make a key, print it this once, and append its line to the file."""
    from rowcast.api_keys import Role
    from rowcast.api_keys import new as new_key

    file = _file(file, data)
    print(new_key(file, name, Role(role)))
    say(f"{name} is in {file}. The key itself stands nowhere else: keep it.")


def list_keys(file: File = None, data: Data = None, json: Json = False) -> None:
    """List names, roles and the beginnings of the digests."""
    from rowcast.api_keys import read

    found = [(key.name, key.role.value, key.digest.hex()) for key in read(_file(file, data))]
    if json:
        show_json([{"name": name, "role": role, "sha256": digest} for name, role, digest in found])
        return
    show_table(["name", "role", "sha256"], ([name, role, digest[:12]] for name, role, digest in found))


def remove(name: Name, file: File = None, data: Data = None) -> None:
    """Take a key out of the file: it is refused from then on."""
    from rowcast.api_keys import remove as remove_key

    file = _file(file, data)
    remove_key(file, name)
    say(f"{name} is no longer in {file}.")


def _file(file: Path | None, data: Path | None) -> Path:
    """The file that is meant.

    Raises:
        UsageError: none is named, and no service with keys is running.
    """
    if file is not None and data is None:
        return file
    instance = find_place(data).instance
    if instance and instance.api_keys_file:
        return Path(instance.api_keys_file)
    if file is not None:
        return file
    found = f"the service at {instance.url} has no API keys" if instance else "no service is running"
    raise typer.BadParameter(
        f"is needed, because {found}. Start the service with ROWCAST_API_KEYS_FILE=FILE to require keys.",
        param_hint="--file",
    )
