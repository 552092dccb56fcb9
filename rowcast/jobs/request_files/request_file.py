"""A file of requests in the store: kept as it was sent, until its owner deletes it or its time is over.

    files/ID/0000000    a piece of the file
    files/ID/file.json  what is known of it; written last

An id has the time of its making (UUIDv7) and a digest of its owner. Redis has lists of the files, and knows which
batches need one (`request_files.py`).
"""

import hashlib
import re
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
        return created_ms(self.id)


class StoredRequests:
    """The files of requests in one store. What their owners may do with them is in `request_files.py`.

    Raises:
        Unavailable: from any method, if the store cannot be reached.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

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

    def read(self, id: str) -> RequestFile | None:
        """Returns what is known of a file; None if there is none with this id, or it still arrives."""
        try:
            return RequestFile.model_validate_json(self._storage.get(_about(id))) if _ID.fullmatch(id) else None
        except (FileNotFoundError, ValidationError):
            return None

    def ids(self) -> list[str]:
        """Returns the ids of all files, oldest first, also of those that still arrive."""
        return [id for id in self._storage.folders(_TOP) if _ID.fullmatch(id)]

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


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()[:8]


def created_ms(id: str) -> int:
    """Returns when the upload of a file began, in milliseconds since 1970; 0 if the id is not valid."""
    found = _ID.fullmatch(id)
    return UUID(found[1]).int >> 80 if found else 0


def _about(id: str) -> str:
    return f"{_TOP}/{id}/file.json"


def _piece(id: str, piece: int) -> str:
    return f"{_TOP}/{id}/{piece:07d}"
