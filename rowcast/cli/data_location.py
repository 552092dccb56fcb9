"""The place that a command works on: the data of the service that runs on this machine, or that of a folder."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from rowcast.errors import RowcastError, Unavailable
from rowcast.local.running_services import Instance, instance_at, running

FOLDER = ".rowcast"

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        "--data-dir",
        help="The data folder of a `rowcast up`.",
        show_default=f"that of the service that runs, or {FOLDER}",
    ),
]


class SeveralServices(RowcastError):
    """Several services run, and the command does not say which one it means."""

    def __init__(self, found: list[Instance], option: str) -> None:
        lines = "".join(f"\n  {one.url}  {one.data}" for one in found)
        super().__init__(f"Several services are running; choose one with {option}:{lines}")


class NotRunning(Unavailable):
    """No service runs on the data folder that the command names."""

    def __init__(self, data: Path) -> None:
        super().__init__(
            f"No service is running on {data}; start it with `rowcast up --data {shlex.quote(str(data))}`."
        )


@dataclass(frozen=True)
class Place:
    """A data folder, and the service that runs on it, if there is one."""

    data: Path
    instance: Instance | None

    @property
    def models(self) -> str:
        """Where the registry is."""
        return self.instance.models if self.instance else str(self.data / "models")

    @property
    def store(self) -> str:
        """Where inputs and results are."""
        return self.instance.store if self.instance else str(self.data / "store")

    @property
    def models_shown(self) -> str:
        """Where the registry is, in words; the folder `models` of the data folder is not mentioned."""
        return self._shown(self.models, self.data / "models")

    def __str__(self) -> str:
        return self._shown(str(self.data), self.data)

    def _shown(self, location: str, usual: Path) -> str:
        running = f"the service at {self.instance.url}" if self.instance else "no service is running there"
        return f"{self.data if location == str(usual) else location} ({running})"


def find_place(data: Path | None, option: str = "--data") -> Place:
    """The place of `data` if that is given; or else of the service that runs; or else the current folder's `.rowcast`.

    Raises:
        SeveralServices: `option` is needed to choose one.
    """
    if data is not None:
        folder = data.expanduser().resolve()
        return Place(folder, instance_at(folder))
    found = running()
    if len(found) > 1:
        raise SeveralServices(found, option)
    return Place(Path(found[0].data), found[0]) if found else Place(Path(FOLDER).resolve(), None)
