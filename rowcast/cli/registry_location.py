"""The registry that a command works on: the one that is named, or that of the service that runs on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.data_location import find_data_location

if TYPE_CHECKING:
    from rowcast.models.registry import Registry

RegistryLocation = Annotated[
    str | None,
    typer.Option(
        "--models",
        help="Model registry: a folder, or a bucket such as s3://models.",
        envvar="ROWCAST_MODELS",
        show_default=False,
    ),
]


def open_registry(where: str | None, data: Path | None, option: str = "--data") -> tuple["Registry", str]:
    """Returns the registry to work on, and its location in words.

    Raises:
        SeveralServices: several services run; `option` chooses one.
    """
    from rowcast.models.generated_key import signing_key
    from rowcast.models.registry import Registry
    from rowcast.settings import Settings
    from rowcast.storage import Storage

    settings = Settings.read()
    if where and not data:
        return Registry(Storage(where), signing_key(settings), _user_name()), where
    location = find_data_location(data, option)
    return Registry(Storage(location.models), signing_key(settings), _user_name()), location.models_shown


def _user_name() -> str:
    """Returns the name of the user of this machine, for the moves of aliases; empty if it has none."""
    import getpass

    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return ""
