"""The running services of this machine, found by the notes that `rowcast up` writes.

    DATA/service.json                   an `Instance` as JSON, locked while the instance runs
    STATE/rowcast/services/HOST/HASH    the path DATA; STATE is $XDG_STATE_HOME or ~/.local/state

Each user sees only their own services. A note without a lock was left by a killed process. It is ignored, and removed
by the next search.
"""

import hashlib
import json
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import BinaryIO

from rowcast.errors import RowcastError

NOTE = "service.json"

FOLDER = ".rowcast"
"""The data folder, below the current folder, if no service runs and none is named."""


@dataclass(frozen=True)
class Instance:
    """One running `rowcast up`."""

    #: Address of the gateway.
    url: str
    #: Data folder, an absolute path.
    data: str
    #: Redis server, with its password: the note can be read by its owner only.
    redis_url: str
    #: Model registry: an absolute path or a bucket's URL.
    models: str
    #: Store of inputs and results: an absolute path or a bucket's URL.
    store: str
    #: File of API keys, an absolute path; None if the gateway is open.
    api_keys_file: str | None
    #: Folder in which the programs keep their log lines, an absolute path.
    logs: str
    #: Process id of the supervisor, for information.
    pid: int


class SeveralServices(RowcastError):
    """Several services run, and the command names none of them."""

    def __init__(self, found: list[Instance], option: str) -> None:
        lines = "".join(f"\n  {one.url}  {one.data}" for one in found)
        super().__init__(f"Several services are running. Choose one with {option}:{lines}")


@contextmanager
def publish_instance(instance: Instance) -> Iterator[None]:
    """Writes the notes, and removes them at the end of the block.

    If the home folder cannot be written, only commands with `--data` find the instance.
    """
    import fcntl

    note, pointer = Path(instance.data) / NOTE, _pointer(instance.data)
    written = note.with_name(f".{NOTE}.{os.getpid()}")
    written.unlink(missing_ok=True)
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        json.dump(asdict(instance), file, indent=2)
        file.flush()
        written.replace(note)
        try:
            with suppress(OSError):
                pointer.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                pointer.write_text(instance.data)
            yield
        finally:
            note.unlink(missing_ok=True)
            with suppress(OSError):
                pointer.unlink(missing_ok=True)


def running_instances() -> list[Instance]:
    """Returns this user's instances on this machine, sorted by URL."""
    found = []
    with suppress(OSError):
        for pointer in _pointers().iterdir():
            with suppress(OSError, UnicodeDecodeError):
                instance = instance_at(Path(pointer.read_text()))
                if instance:
                    found.append(instance)
                else:
                    pointer.unlink(missing_ok=True)
    return sorted(found, key=lambda one: one.url)


def only_instance(option: str) -> Instance | None:
    """Returns this user's instance on this machine; None if no instance runs.

    Raises:
        SeveralServices: several run; the message names `option` to choose one.
    """
    found = running_instances()
    if len(found) > 1:
        raise SeveralServices(found, option)
    return found[0] if found else None


def instance_at(data: Path) -> Instance | None:
    """Returns the instance that runs on the data folder; None if no instance runs there."""
    if sys.platform == "win32":  # `rowcast up` does not run there
        return None
    note = data / NOTE
    try:
        with note.open("rb") as file:
            if not _is_locked(file):
                if os.path.samestat(os.fstat(file.fileno()), note.stat()):
                    note.unlink()
                return None
            content = json.load(file)
        return Instance(**{field.name: content[field.name] for field in fields(Instance)})
    except (OSError, ValueError, TypeError, KeyError):  # a note of another version may have other fields
        return None


def _is_locked(file: BinaryIO) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _pointers() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    # Machines may share home folders, but not services.
    return Path(state) / "rowcast" / "services" / socket.gethostname()


def _pointer(data: str) -> Path:
    return _pointers() / hashlib.sha256(data.encode()).hexdigest()[:16]
