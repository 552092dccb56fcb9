"""The data that a command works on: that of the service that runs on this machine, or that of a folder."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rowcast.compiled_cache import FOLDER as COMPILED_CODE
from rowcast.errors import Unavailable
from rowcast.local.running_services import FOLDER, Instance, instance_at, only_instance

SERVICE_PANEL = "Which service"
"""The group of options in a help that say which service a command uses."""

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "--data-dir",
        help="Data folder of a `rowcast up`.",
        show_default=f"that of the running service, or {FOLDER}",
        rich_help_panel=SERVICE_PANEL,
    ),
]


class NotRunning(Unavailable):
    """No service runs on the data folder that the command names."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"No service is running on {data}. Start it with `rowcast up --data {shlex.quote(str(data))}`."
        )


@dataclass(frozen=True)
class DataLocation:
    """A data folder and the service that runs on it, if there is one."""

    #: Data folder, an absolute path.
    folder: Path
    #: The running service; None if no service runs on the folder.
    instance: Instance | None

    @property
    def models(self) -> str:
        """The model registry: a path or a bucket's URL."""
        return self.instance.models if self.instance else str(self.folder / "models")

    @property
    def store(self) -> str:
        """The store of inputs and results: a path or a bucket's URL."""
        return self.instance.store if self.instance else str(self.folder / "store")

    @property
    def compiled_code(self) -> Path:
        """The folder of the functions that were compiled for the fast path."""
        return self.folder / COMPILED_CODE

    @property
    def models_shown(self) -> str:
        """The model registry in words. If it is the folder `models` of the data folder, the data folder is named."""
        return self._shown(self.models, self.folder / "models")

    def __str__(self) -> str:
        return self._shown(str(self.folder), self.folder)

    def _shown(self, location: str, usual: Path) -> str:
        running = f"the service at {self.instance.url}" if self.instance else "no service is running there"
        return f"{self.folder if location == str(usual) else location} ({running})"


def find_data_location(data: Path | None, option: str = "--data") -> DataLocation:
    """Returns the location `data` if it is given, else that of the running service, else `.rowcast` in this folder.

    Raises:
        SeveralServices: several services run; the message names `option` to choose one.
    """
    if data is not None:
        folder = data.expanduser().resolve()
        return DataLocation(folder, instance_at(folder))
    found = only_instance(option)
    return DataLocation(Path(found.data) if found else Path(FOLDER).resolve(), found)
