"""A file of requests in the store: kept as it was sent, until its owner deletes it or its time is over.

    files/ID/0000000    a piece of the file
    files/ID/file.json  what is known of it; written last

Redis knows nothing of these files. An id has the time of its making (UUIDv7) and a digest of its owner, so that a list
and the sweep need no other index.
"""

import hashlib
import re
import time
from collections.abc import Iterable, Iterator
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError

from rowcast.errors import EmptyFile, UnknownFile
from rowcast.jobs.job_files import SOURCE_PIECE_BYTES, pieces_of
from rowcast.storage import Storage, Sync

_TOP = "files"
_ID = re.compile(r"file-([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})-([0-9a-f]{8})")
_BLOCK_BYTES = 256 * 1024
_SYNCS_AT_ONCE = 2
_LATE_SECONDS = 3600
"""The sweep leaves each file for another hour: its upload may have taken as long."""


class RequestFile(BaseModel):
    """What is known of one file."""

    model_config = ConfigDict(frozen=True)

    #: Its id.
    id: str
    #: Name of the API key that sent it; empty if the gateway has no keys.
    owner: str
    #: Name of the file.
    filename: str
    #: Length in bytes.
    bytes: int
    #: SHA-256 of the file, in hexadecimal.
    sha256: str

    @property
    def created_ms(self) -> int:
        """Time at which its upload began, in milliseconds since 1970."""
        return _created_ms(self.id)


class RequestFiles:
    """The files of requests in one store.

    `owner` is the name of an API key. Files of other owners are unknown. None means every owner.

    Raises:
        Unavailable: from any method, if the store cannot be reached.
    """

    def __init__(self, storage: Storage, retention_seconds: float) -> None:
        """Files are kept for `retention_seconds` from their upload on."""
        self._storage, self.retention_seconds = storage, retention_seconds

    def receive(self, owner: str, filename: str, blocks: Iterable[bytes]) -> RequestFile:
        """Stores a file that comes in blocks of any size. If this raises, nothing is left behind.

        Raises:
            EmptyFile: it has no bytes. The others are those of reading the blocks.
        """
        import uuid_utils  # workers, which do not make files, have not installed it

        id = f"file-{uuid_utils.uuid7()}-{_digest(owner)}"
        sha256, length, syncs = hashlib.sha256(), 0, list[Sync]()
        try:
            for piece, data in enumerate(pieces_of(blocks)):
                syncs.append(self._storage.put_early(_piece(id, piece), data))
                if len(syncs) > _SYNCS_AT_ONCE:
                    syncs.pop(0).wait()
                sha256.update(data)
                length += len(data)
            for sync in syncs:
                sync.wait()
            if not length:
                raise EmptyFile.at("file", "has no bytes")
            file = RequestFile(id=id, owner=owner, filename=filename, bytes=length, sha256=sha256.hexdigest())
            self._storage.put(_about(id), file.model_dump_json().encode())
        except BaseException:  # also if the caller hangs up, or the greenlet is killed
            self._storage.delete_folder(f"{_TOP}/{id}")
            raise
        return file

    def get(self, id: str, owner: str | None = None) -> RequestFile:
        """Returns what is known of a file.

        Raises:
            UnknownFile: there is none with this id, or it belongs to another owner, or its time is over.
        """
        file = self._known(id) if _ID.fullmatch(id) else None
        if file is None or owner not in (None, file.owner) or self._is_over(id):
            raise UnknownFile(f"File not found: {id[:80]}. Files are kept for {self.retention_seconds:.0f} seconds.")
        return file

    def page(
        self, limit: int, after: str | None, owner: str | None, *, newest_first: bool
    ) -> tuple[list[RequestFile], bool]:
        """Returns at most `limit` files that come after the id `after`, and whether there are more."""
        own = f"-{_digest(owner)}" if owner is not None else ""
        ids = [id for id in self._storage.folders(_TOP) if _ID.fullmatch(id) and id.endswith(own)]
        ids = [id for id in (ids[::-1] if newest_first else ids) if not self._is_over(id)]
        if after is not None:
            ids = [id for id in ids if (id < after if newest_first else id > after)]
        found: list[RequestFile] = []
        for id in ids:
            file = self._known(id)  # None while it arrives
            if file is not None and owner in (None, file.owner):
                if len(found) == limit:
                    return found, True
                found.append(file)
        return found, False

    def blocks(self, file: RequestFile) -> Iterator[bytes]:
        """Yields the content of a file.

        Raises:
            UnknownFile: a piece is missing, because the file has just been deleted.
        """
        for start in range(0, file.bytes, _BLOCK_BYTES):
            piece, at = divmod(start, SOURCE_PIECE_BYTES)
            try:
                yield self.get_source(file.id, piece, at, min(_BLOCK_BYTES, file.bytes - start))
            except FileNotFoundError:
                raise UnknownFile(f"File not found: {file.id}. It has just been deleted.") from None

    def get_source(self, id: str, piece: int, start: int, length: int) -> bytes:
        """Reads a range of one piece of a file.

        Raises:
            FileNotFoundError: it is missing.
        """
        return self._storage.get_range(_piece(id, piece), start, length)

    def delete(self, id: str) -> int:
        """Deletes a file, and returns of how many objects it consisted."""
        self._storage.delete(_about(id))
        return self._storage.delete_folder(f"{_TOP}/{id}")

    def sweep(self) -> list[str]:
        """Deletes the files whose time is over, and returns their ids. It is safe to run in two processes."""
        over = [
            id for id in self._storage.folders(_TOP) if _ID.fullmatch(id) and self._is_over(id, after=_LATE_SECONDS)
        ]
        for id in over:
            self.delete(id)
        return over

    def _known(self, id: str) -> RequestFile | None:
        try:
            return RequestFile.model_validate_json(self._storage.get(_about(id)))
        except (FileNotFoundError, ValidationError):
            return None

    def _is_over(self, id: str, after: int = 0) -> bool:
        return time.time() * 1000 > _created_ms(id) + (self.retention_seconds + after) * 1000


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:8]


def _created_ms(id: str) -> int:
    found = _ID.fullmatch(id)
    return UUID(found[1]).int >> 80 if found else 0


def _about(id: str) -> str:
    return f"{_TOP}/{id}/file.json"


def _piece(id: str, piece: int) -> str:
    return f"{_TOP}/{id}/{piece:07d}"
