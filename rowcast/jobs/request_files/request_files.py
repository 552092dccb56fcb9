"""The files of requests, as their owners may use them, and their sweep. Redis has the list of each owner's files.

A file is kept for the retention from its upload on, and for as long as a batch needs it.
"""

import time
from collections.abc import Iterable, Iterator
from typing import Literal

from rowcast.errors import FilesFull, UnknownFile
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key
from rowcast.jobs.records.scripts.file_scripts import FileLimits
from rowcast.jobs.records.scripts.script_methods import Scripts
from rowcast.jobs.request_files.request_file import RequestFile, StoredRequests, created_ms
from rowcast.settings import Settings
from rowcast.wording.quantity import counted

_NO_LIMITS = FileLimits(2**53, 2**53)
"""What upkeep finds is listed in any case. 2**53 is the largest number that Lua counts to."""

_LATE_SECONDS = 3600
"""The sweep leaves each file for another hour: its upload may have taken as long."""


class RequestFiles:
    """The files of requests.

    `owner` is the name of an API key. Files of other owners are unknown. None means every owner.

    Raises:
        Unavailable: from any method, if Redis or the store cannot be reached.
    """

    def __init__(self, stored: StoredRequests, scripts: Scripts, settings: Settings) -> None:
        self._stored, self._scripts, self._retention_seconds = stored, scripts, settings.retention
        self._limits = FileLimits(settings.max_files_per_key, settings.max_file_bytes_per_key)

    def receive(self, owner: str, filename: str, blocks: Iterable[bytes]) -> RequestFile:
        """Stores a file that comes in blocks of any size. If this raises, nothing is left behind.

        Raises:
            EmptyFile: it has no bytes. FilesFull: the owner has too many files, or bytes in them. The others are those
            of reading the blocks.
        """
        lengths = self._lengths(owner).values()
        if len(lengths) >= self._limits.files:
            raise self._full(owner, "files")
        file = self._stored.receive(owner, filename, self._fitting(owner, blocks, sum(lengths)))
        try:
            if exceeded := self._scripts.add_file(file.id, owner, file.bytes, self._limits):  # others came meanwhile
                raise self._full(owner, exceeded)
        except BaseException:  # also if the greenlet is killed
            self._stored.delete(file.id)
            raise
        return file

    def get(self, id: str, owner: str | None = None) -> RequestFile:
        """Returns what is known of a file.

        Raises:
            UnknownFile: there is none with this id, or it belongs to another owner, or its time is over.
        """
        file = self._stored.read(id)
        if file is None or owner not in (None, file.owner) or not self._kept([id]):
            kept = f"Files are kept for {self._retention_seconds:.0f} seconds, or until their batches expire."
            raise UnknownFile(f"File not found: {id[:80]}. {kept}")
        return file

    def page(
        self, limit: int, after: str | None, owner: str | None, *, newest_first: bool
    ) -> tuple[list[RequestFile], bool]:
        """Returns at most `limit` files that come after the id `after`, and whether there are more."""
        ids = self._kept(sorted(self._listed() if owner is None else self._lengths(owner), reverse=newest_first))
        if after is not None:
            ids = [id for id in ids if (id < after if newest_first else id > after)]
        found: list[RequestFile] = []
        for id in ids:
            if (file := self._stored.read(id)) is not None:  # otherwise it is being deleted
                if len(found) == limit:
                    return found, True
                found.append(file)
        return found, False

    def expiry_ms(self, ids: list[str]) -> dict[str, int | None]:
        """Returns when each file goes, in milliseconds since 1970; None if a batch that has not ended needs it."""
        needed = self._scripts.read_file_needs(ids)
        return {id: None if needed.get(id) == 0 else max(self._retained_ms(id), needed.get(id, 0)) for id in ids}

    def blocks(self, file: RequestFile) -> Iterator[bytes]:
        """Yields the content of a file. Raises UnknownFile if it has just been deleted."""
        return self._stored.blocks(file)

    def delete(self, id: str) -> None:
        """Deletes a file, also if a batch needs it."""
        self._stored.delete(id)
        self._scripts.unlist_file(id)

    def list_again(self) -> int:
        """Lists files in the store that Redis does not know, and returns how many. Those that are gone are unlisted.

        Redis has lost them, or they were sent before there was a list. It is safe to run in two processes.
        """
        listed = set(self._listed())  # first: each file is in the store before it is listed
        stored = self._stored.ids()
        for id in listed.difference(stored):
            self._scripts.unlist_file(id)
        found = [file for id in stored if id not in listed and (file := self._stored.read(id)) is not None]
        for file in found:
            self._scripts.add_file(file.id, file.owner, file.bytes, _NO_LIMITS)
        return len(found)

    def sweep(self) -> list[str]:
        """Deletes the files whose time is over, and returns their ids. It is safe to run in two processes."""
        late_ms = _now_ms() - _LATE_SECONDS * 1000
        over = [id for id in self._stored.ids() if late_ms > self._retained_ms(id) and self._scripts.drop_file(id)]
        for id in over:
            self._stored.delete(id)
        return over

    def _listed(self) -> list[str]:
        with redis_errors():
            return [id.decode() for id in self._scripts.redis.hkeys(key("files"))]

    def _lengths(self, owner: str) -> dict[str, int]:
        """Returns the length of each of an owner's files, in bytes."""
        with redis_errors():
            found = self._scripts.redis.hgetall(key("owned_files", owner))
        return {id.decode(): int(length) for id, length in found.items()}

    def _fitting(self, owner: str, blocks: Iterable[bytes], length: int) -> Iterator[bytes]:
        """Yields the blocks of another file, while all of the owner's files have no more bytes than they may."""
        for block in blocks:
            length += len(block)
            if length > self._limits.length_bytes:
                raise self._full(owner, "bytes")
            yield block

    def _full(self, owner: str, exceeded: Literal["files", "bytes"]) -> FilesFull:
        caller = "This API key" if owner else "The service"
        if exceeded == "files":
            return FilesFull(caller, counted(self._limits.files, "file"), "ROWCAST_MAX_FILES_PER_KEY")
        return FilesFull(caller, f"{self._limits.length_bytes:,} bytes in files", "ROWCAST_MAX_FILE_BYTES_PER_KEY")

    def _kept(self, ids: list[str]) -> list[str]:
        """Returns those of the ids whose time is not over."""
        now_ms = _now_ms()
        over = [id for id in ids if now_ms > self._retained_ms(id)]
        needed = self._scripts.read_file_needs(over) if over else {}
        return [id for id in ids if id not in over or id in needed]

    def _retained_ms(self, id: str) -> int:
        return created_ms(id) + int(self._retention_seconds * 1000)


def _now_ms() -> int:
    return int(time.time() * 1000)
