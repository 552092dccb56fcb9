"""The scripts of files of requests."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rowcast.jobs.records.scripts.script_runner import ScriptRunner


class FileLimits(NamedTuple):
    """How much one API key may have in files of requests."""

    #: Number of files.
    files: int
    #: Bytes of all of them.
    length_bytes: int


class FileScripts(ScriptRunner):
    """Runs these scripts."""

    def add_file(self, id: str, owner: str, length: int, limits: FileLimits) -> Literal["", "files", "bytes"]:
        """Lists a file of `length` bytes that is in the store. Returns the limit that it exceeds; usually none."""
        exceeded: Literal["", "files", "bytes"] = self._run("add_file", id, owner, length, *limits).decode()
        return exceeded

    def read_file_needs(self, ids: Sequence[str]) -> dict[str, int]:
        """Returns until when batches need files (ms); 0 if one has not ended. Files that none needs are left out."""
        needs = self._run("read_file_needs", *ids)
        return {id: int(needed) for id, needed in zip(ids, needs, strict=True) if needed}

    def hold_file(self, id: str, job: str) -> None:
        """Notes that a batch needs a file. Its job need not have been made."""
        self._run("hold_file", id, job)

    def unlist_file(self, id: str) -> None:
        """Takes a deleted file off the lists."""
        self._run("unlist_file", id)

    def drop_file(self, id: str) -> bool:
        """Takes a file off the lists, unless a batch needs it. Returns whether the file may be removed."""
        return bool(self._run("drop_file", id))
