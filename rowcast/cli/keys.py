"""The commands for API keys: they work on the file itself; a gateway that runs sees the change within a second."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rowcast.cli.connection import Json
from rowcast.cli.output import say, show_json, show_table

keys = typer.Typer(help="Make, list and remove API keys.", no_args_is_help=True)

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="Whose key it is; the jobs made with it belong to that name.")
]
File = Annotated[
    Path,
    typer.Option("--file", help="The file of keys.", envvar="ROWCAST_API_KEYS_FILE", show_envvar=True),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    keys.command()(new)
    keys.command("list")(list_keys)
    keys.command()(remove)
    app.add_typer(keys, name="keys")


def new(
    name: Name,
    file: File,
    role: Annotated[
        Literal["user", "admin"], typer.Option("--role", help="A user sees its own jobs alone, an admin all.")
    ] = "user",
) -> None:
    """Make a key, print it this once, and append its line to the file."""
    from rowcast.keys import Role
    from rowcast.keys import new as new_key

    print(new_key(file, name, Role(role)))
    say(f"{name} is in {file}. The key itself stands nowhere else: keep it.")


def list_keys(file: File, json: Json = False) -> None:
    """List names, roles and the beginnings of the digests."""
    from rowcast.keys import read

    found = [(key.name, key.role.value, key.digest.hex()) for key in read(file)]
    if json:
        show_json([{"name": name, "role": role, "sha256": digest} for name, role, digest in found])
        return
    show_table(["name", "role", "sha256"], ([name, role, digest[:12]] for name, role, digest in found))


def remove(name: Name, file: File) -> None:
    """Take a key out of the file: it is refused from then on."""
    from rowcast.keys import remove as remove_key

    remove_key(file, name)
    say(f"{name} is no longer in {file}.")
