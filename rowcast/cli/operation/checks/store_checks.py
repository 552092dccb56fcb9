"""The checks of the store and of files that settings name."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from rowcast.api_keys import read as read_keys
from rowcast.cli.operation.checks.diagnosis import Diagnosis
from rowcast.errors import RowcastError
from rowcast.memory import MIB
from rowcast.secret_files import PREFIX, SECRETS, file_variable, variable
from rowcast.settings import Settings
from rowcast.storage import Storage
from rowcast.wording.nearest import if_nearest

_LOW_SHARE, _LOW_BYTES = 0.1, 1024 * MIB
"""With less free space than both, there is a warning."""

_OF_OTHERS = frozenset(
    {"URL", "API_KEY", "BIND", "PORT", "GRAFANA_PORT", "PROMETHEUS_PORT", "WORKER_PROCESSES", "DEBIAN", "UP"}
)
"""Names after `ROWCAST_` that are not settings: of the client, of `rowcast up`, and of docker-compose.yml."""


def settings_findings(settings: Settings) -> Iterator[Diagnosis]:
    """Yields unknown variables, and files of settings that cannot be used."""
    known = [*map(variable, Settings.model_fields), *map(file_variable, SECRETS)]
    foreign = (name for name in sorted(os.environ) if name.startswith(PREFIX) and name not in known)
    unknown = [name for name in foreign if name.removeprefix(PREFIX) not in _OF_OTHERS]
    for name in unknown:
        nearest = if_nearest(name, known)
        yield Diagnosis(
            "warning", "settings", f"{name} is not a setting, and does nothing{nearest}.", "Correct or remove it."
        )
    faults = list(_files_of(settings))
    yield from faults
    if not unknown and not faults:
        yield Diagnosis("ok", "settings", "All settings are valid.")


def _files_of(settings: Settings) -> Iterator[Diagnosis]:
    if settings.api_keys_file:
        try:
            read_keys(Path(settings.api_keys_file))
        except RowcastError as error:
            yield Diagnosis("fault", "settings", error.detail, "Correct the file; `rowcast keys list --file` reads it.")
    if settings.receipt_key_file and not os.access(settings.receipt_key_file, os.R_OK):
        message = f"ROWCAST_RECEIPT_KEY_FILE {settings.receipt_key_file} cannot be read."
        yield Diagnosis("fault", "settings", message, "Make one with `rowcast receipt-key new`, or correct its rights.")


def store_findings(storage: Storage) -> Iterator[Diagnosis]:
    """Yields the space of the store's disk, and rights that are too wide."""
    disk = storage.disk()
    if disk is None:
        return
    free = f"{disk.free / MIB / 1024:,.1f} GiB of {disk.size / MIB / 1024:,.1f} are free"
    if disk.free < min(_LOW_SHARE * disk.size, _LOW_BYTES):
        remedy = "Make room, delete jobs, or lower ROWCAST_RETENTION."
        yield Diagnosis("warning", "store", f"Its disk is nearly full: {free}.", remedy)
    else:
        yield Diagnosis("ok", "store", f"On its disk, {free}.")
    mode = Path(storage.location).stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        message = "Every user of the machine can write to its folder, and so change results."
        yield Diagnosis("warning", "store", message, f"chmod o-w {storage.location}")
