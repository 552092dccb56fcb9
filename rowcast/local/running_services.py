"""Instances: the services that run on this machine, found by notes that `rowcast up` leaves.

    DATA/service.json                   an `Instance` as JSON, locked for as long as the instance runs
    STATE/rowcast/services/HOST/HASH    the path DATA; STATE is $XDG_STATE_HOME or ~/.local/state

Each user sees only their own. A note whose lock nobody holds was left by a process that was killed: it is ignored, and
removed by the next look.
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

NOTE = "service.json"


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
    #: Process id of the supervisor, for people who look.
    pid: int


@contextmanager
def announced(instance: Instance) -> Iterator[None]:
    """Leaves the notes, and takes them away again at the end.

    Without a home folder that can be written only commands with `--data` find the instance.
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


def running() -> list[Instance]:
    """The instances of this user on this machine, by their addresses."""
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


def instance_at(data: Path) -> Instance | None:
    """The instance that runs on the data folder; None if there is none."""
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
    except (OSError, ValueError, TypeError, KeyError):  # also what another version wrote
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
    # Home folders may be shared between machines, services are not.
    return Path(state) / "rowcast" / "services" / socket.gethostname()


def _pointer(data: str) -> Path:
    return _pointers() / hashlib.sha256(data.encode()).hexdigest()[:16]
