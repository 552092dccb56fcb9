"""A batch job's files in the store: the input as one object a chunk, the result as a head and one object a part.

    jobs/ID/input/0000000   the chunk's rows as they were sent
    jobs/ID/head            the result's header line
    jobs/ID/parts/0000000   the chunk's rows with their predictions
    jobs/ID/errors/0000000  the chunk's bad rows, only where there are any
    jobs/ID/job.json        the job itself: what Redis needs to know of it, should it be emptied (`job_manifest.py`)

An object a chunk needs no multipart upload, can be read while later ones still arrive, and is never seen half.
"""

import hashlib

from rowcast.storage import Storage


class Files:
    """The files of all jobs in one store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def put_input(self, id: str, chunk: int, data: bytes) -> None:
        """Stores one chunk of the input."""
        self._storage.put(_object(id, "input", chunk), data)

    def get_input(self, id: str, chunk: int) -> bytes:
        """Reads one chunk of the input."""
        return self._storage.get(_object(id, "input", chunk))

    def put_header(self, id: str, line: bytes) -> None:
        """Stores the result's header line."""
        self._storage.put(f"jobs/{id}/head", line)

    def get_header(self, id: str) -> bytes:
        """Reads the result's header line."""
        return self._storage.get(f"jobs/{id}/head")

    def put_part(self, id: str, chunk: int, data: bytes, errors: bytes) -> bytes:
        """Stores what a chunk produced and answers its digest (16 bytes)."""
        if errors:
            self._storage.put(_object(id, "errors", chunk), errors)
        self._storage.put(_object(id, "parts", chunk), data)
        return digest(data)

    def delete_partial_writes(self, id: str, chunk: int) -> None:
        """Removes what somebody left who was killed while storing this part."""
        for folder in ("parts", "errors"):
            self._storage.delete_partial_writes(_object(id, folder, chunk))

    def get_part(self, id: str, chunk: int, start: int, length: int) -> bytes:
        """Reads a range of one part."""
        return self._storage.get_range(_object(id, "parts", chunk), start, length)

    def get_whole_part(self, id: str, chunk: int) -> bytes:
        """Reads one part."""
        return self._storage.get(_object(id, "parts", chunk))

    def put_manifest(self, id: str, document: bytes) -> None:
        """Stores the job itself, the last of its files to come."""
        self._storage.put(_manifest(id), document)

    def get_manifest(self, id: str) -> bytes | None:
        """Reads the job itself; None where there is none, or none any more."""
        try:
            return self._storage.get(_manifest(id))
        except FileNotFoundError:
            return None

    def forget(self, id: str) -> None:
        """Removes the job itself, so that it does not come back where Redis is emptied."""
        self._storage.delete(_manifest(id))

    def get_errors(self, id: str, chunk: int) -> bytes:
        """Reads the bad rows of one chunk."""
        return self._storage.get(_object(id, "errors", chunk))

    def delete(self, id: str) -> int:
        """Removes every file of the job, its manifest first, and answers how many others there were."""
        self.forget(id)
        return self._storage.delete_folder(f"jobs/{id}")

    def jobs(self) -> list[str]:
        """The ids of the jobs that have files."""
        return self._storage.folders("jobs")

    def sizes(self, id: str) -> dict[str, int]:
        """Every file of the job as `FOLDER/CHUNK` or `head`, and its bytes."""
        top = f"jobs/{id}/"
        return {path.removeprefix(top): size for path, size in self._storage.entries(top.rstrip("/"))}

    def check(self) -> None:
        """Asks whether the store can be written and read."""
        self._storage.check()


def name_of(folder: str, chunk: int) -> str:
    """A file's name below its job's folder, as `sizes` gives it."""
    return f"{folder}/{chunk:07d}"


def digest(data: bytes) -> bytes:
    """The first 16 bytes of the SHA-256."""
    return hashlib.sha256(data).digest()[:16]


def _manifest(id: str) -> str:
    return f"jobs/{id}/job.json"


def _object(id: str, folder: str, chunk: int) -> str:
    return f"jobs/{id}/{name_of(folder, chunk)}"
