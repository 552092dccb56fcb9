"""The result of a job at its URL: an object for each part, and the manifest, which is written last."""

import hashlib
import os
from functools import lru_cache, partial
from pathlib import Path
from typing import BinaryIO

from rowcast.errors import OutputExists, UrlRefused
from rowcast.jobs.by_url.file_url import output_url, prefixes_in
from rowcast.storage import Storage, Sync

MANIFEST = "manifest.json"

DIGEST_BYTES = 32

_KEPT = 16
"""Places that stay open. To open a bucket takes new connections, which is too much for each part."""


class OutputFolders:
    """The folders of jobs, below the allowed places."""

    def __init__(self, output_prefixes: str, *, syncs: bool) -> None:
        """Takes the value of `ROWCAST_OUTPUT_PREFIXES`."""
        self._prefixes = output_prefixes
        self._storage = lru_cache(_KEPT)(partial(Storage, syncs=syncs))

    def open(self, url: str) -> "OutputFolder":
        """Opens a folder.

        Raises:
            UrlRefused: it is not allowed, for example because a symbolic link leads elsewhere.
            StoreUnavailable: it cannot be reached.
        """
        folder = output_url(url, self._prefixes)
        location = str(folder).rstrip("/")
        if folder.scheme == "file":
            location = os.path.realpath(f"/{folder.path}")
            allowed = [f"/{prefix.path}" for prefix in prefixes_in(self._prefixes) if prefix.scheme == "file"]
            if not any(Path(location).is_relative_to(os.path.realpath(prefix)) for prefix in allowed):
                raise UrlRefused.at("output_url", f"{url} leads out of the allowed places")
        return OutputFolder(url, self._storage(location))


class OutputFolder:
    """One folder of one job.

    Raises:
        StoreUnavailable: it cannot be reached.
    """

    def __init__(self, url: str, storage: Storage) -> None:
        self._url, self._storage = url, storage

    def begin(self, *, overwrite: bool) -> None:
        """Checks that the folder is empty, or removes the result of an earlier job. Other objects stay there.

        Raises:
            OutputExists: it is not empty, and the request does not say `overwrite`.
        """
        names = [name for name, _ in self._storage.entries("")]
        if names and not overwrite:
            raise OutputExists.at("output_url", f"{self._url} is not empty: it has for example {min(names)!r}")
        for name in sorted(names, key=lambda name: name != MANIFEST):  # without it, what is left is not a result
            if name == MANIFEST or is_part(name):
                self._storage.delete(name)

    def put_part_early(self, chunk: int, header: bytes, data: bytes) -> tuple[Sync, bytes]:
        """Writes a part, which outlives a power cut after the `wait` of what is returned. Returns its SHA-256, too."""
        whole = header + data
        return self._storage.put_early(part_name(chunk), whole), hashlib.sha256(whole).digest()

    def put_manifest(self, document: BinaryIO) -> None:
        """Writes the manifest."""
        self._storage.put_file(MANIFEST, document)


def part_name(chunk: int) -> str:
    """Returns the name of a part."""
    return f"part-{chunk:07d}.csv"


def is_part(name: str) -> bool:
    """Returns whether an object has the name of a part."""
    return name.startswith("part-") and name.endswith(".csv") and name[5:-4].isdigit()
