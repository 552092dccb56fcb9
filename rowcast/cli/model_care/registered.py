"""What commands that register a model have in common: what they say, and where compiled code is kept."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rowcast.cli.data_location import find_data_location
from rowcast.cli.output import say

if TYPE_CHECKING:
    from rowcast.models.model_manifest import Manifest


def say_registered(manifest: "Manifest", place: str, aliases: Sequence[str] = ()) -> None:
    """Prints the new version on standard output, and what else is worth knowing on standard error."""
    reference = f"{manifest.name}@{manifest.version}"
    if manifest.fast_path is not None and manifest.fast_path.estimators:
        say(f"Fast path for trees: {manifest.fast_path}")
    say(f"Registered {', '.join([reference, *(f'{manifest.name}@{alias}' for alias in aliases)])} in {place}.")
    print(reference)


def compiled_code(where: str | None, data: Path | None, option: str = "--data") -> Path | None:
    """Returns the folder of compiled code in the data folder; None if only a registry is named."""
    return None if where and not data else find_data_location(data, option).compiled_code
