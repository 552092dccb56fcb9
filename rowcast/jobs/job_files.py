"""A batch job's files in the store: an object for each chunk of the input and for each part of the result.

    jobs/ID/input/0000000   the chunk's rows as they were sent
    jobs/ID/header          the result's header line
    jobs/ID/parts/0000000   the chunk's rows with their predictions
    jobs/ID/errors/0000000  the chunk's bad rows; missing if there are none
    jobs/ID/parquet/0-4f…   the result as Parquet after 0 repairs, if it has been asked for
    jobs/ID/job.json        the manifest: what Redis needs to know of the job if it is emptied (`job_manifest.py`)
    jobs/ID/source/0000000  a piece of a file that a worker converts, as it was sent; until it is converted
    jobs/ID/found.json      what a worker found in a file that a check has sent (`jobs/check/found_table.py`)
    jobs/ID/planning/…      how the files of a job by URL are divided, and what each range has; until it is planned
    jobs/ID/spans/0000000   where the rows of some chunks lie in files that are read by URL; instead of `input`
    jobs/ID/actuals.json    what a file of actuals has led to; no other job has it
    jobs/ID/unpacked/…      pieces of such files that are gzip, unpacked
    jobs/ID/upload/…        the segments of a resumable upload, as they were sent; until its job is made

An object for each chunk needs no multipart upload. It can be read while later chunks arrive, and never half-written.
A repaired chunk has its own three objects. Their names end in its revision, for example `parts/0000000-4f2a91c8`. So a
download that began before the repair goes on undisturbed.
"""

from collections.abc import Iterable, Iterator
from typing import BinaryIO

import xxhash

from rowcast.storage import Storage, Sync

SOURCE_PIECE_BYTES = 8 * 1024 * 1024
"""Length of each piece of a source, or of an unpacked file, but the last."""


class Files:
    """The files of all jobs in one store."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.storage = storage
        """Where the files are."""
        self.are_in_a_bucket = not storage.is_folder
        """Whether the store is a bucket, which can presign URLs."""

    def put_input(self, id: str, chunk: int, data: bytes, revision: str = "") -> None:
        """Stores one chunk of the input."""
        self._storage.put(_object(id, "input", chunk, revision), data)

    def put_input_early(self, id: str, chunk: int, data: bytes) -> Sync:
        """Stores one chunk of the input, which outlives a power cut after the `wait` of what is returned."""
        return self._storage.put_early(_object(id, "input", chunk, ""), data)

    def get_input(self, id: str, chunk: int, revision: str = "") -> bytes:
        """Reads one chunk of the input."""
        return self._storage.get(_object(id, "input", chunk, revision))

    def delete_input(self, id: str, chunk: int, revision: str) -> None:
        """Deletes one chunk of the input, for a repair that is not made."""
        self._storage.delete(_object(id, "input", chunk, revision))

    def put_header(self, id: str, line: bytes) -> None:
        """Stores the result's header line."""
        self._storage.put(f"jobs/{id}/header", line)

    def get_header(self, id: str) -> bytes:
        """Reads the result's header line."""
        return self._storage.get(f"jobs/{id}/header")

    def put_part_early(self, id: str, chunk: int, data: bytes, errors: bytes, revision: str = "") -> list[Sync]:
        """Stores what a chunk produced, which outlives a power cut after each `wait` of what is returned."""
        syncs = [self._storage.put_early(_object(id, "errors", chunk, revision), errors)] if errors else []
        return [*syncs, self._storage.put_early(_object(id, "parts", chunk, revision), data)]

    def delete_partial_writes(self, id: str, chunk: int, revision: str = "") -> None:
        """Removes what a process left behind that was killed while it stored this part."""
        for folder in ("parts", "errors"):
            self._storage.delete_partial_writes(_object(id, folder, chunk, revision))

    def get_part(self, id: str, chunk: int, start: int, length: int, revision: str = "") -> bytes:
        """Reads a range of one part."""
        return self._storage.get_range(_object(id, "parts", chunk, revision), start, length)

    def get_whole_part(self, id: str, chunk: int, revision: str = "") -> bytes:
        """Reads one part."""
        return self._storage.get(_object(id, "parts", chunk, revision))

    def put_parquet(self, id: str, name: str, file: BinaryIO) -> None:
        """Stores the result as Parquet, from an open file."""
        self._storage.put_file(f"jobs/{id}/parquet/{name}", file)

    def get_parquet(self, id: str, name: str, start: int, length: int) -> bytes:
        """Reads a range of the result as Parquet."""
        return self._storage.get_range(f"jobs/{id}/parquet/{name}", start, length)

    def presigned_parquet(self, id: str, name: str, seconds: int) -> str:
        """Returns a URL with which anyone can read the result as Parquet for some seconds. The store is a bucket."""
        return self._storage.presigned_urls([f"jobs/{id}/parquet/{name}"], seconds)[0]

    def presigned_header(self, id: str, seconds: int) -> str:
        """Returns the same for the result's header line."""
        return self._storage.presigned_urls([f"jobs/{id}/header"], seconds)[0]

    def presigned_parts(self, id: str, parts: Iterable[tuple[int, str]], seconds: int) -> list[str]:
        """Returns the same for parts, each given as chunk and revision."""
        keys = [_object(id, "parts", chunk, revision) for chunk, revision in parts]
        return self._storage.presigned_urls(keys, seconds) if keys else []

    def delete_parquet(self, id: str, name: str) -> None:
        """Deletes a Parquet file that no record names."""
        self._storage.delete(f"jobs/{id}/parquet/{name}")

    def put_manifest(self, id: str, document: bytes) -> None:
        """Stores the manifest, which is the last of the input's files."""
        self._storage.put(_manifest(id), document)

    def get_manifest(self, id: str) -> bytes | None:
        """Reads the manifest. Returns None if the job has no manifest, or no longer."""
        try:
            return self._storage.get(_manifest(id))
        except FileNotFoundError:
            return None

    def delete_manifest(self, id: str) -> None:
        """Deletes the manifest, so that the job is not made again if Redis is emptied."""
        self._storage.delete(_manifest(id))

    def get_errors(self, id: str, chunk: int, revision: str = "") -> bytes:
        """Reads the list of bad rows of one chunk."""
        return self._storage.get(_object(id, "errors", chunk, revision))

    def put_segment(self, id: str, offset: int, token: str, data: bytes) -> None:
        """Stores the bytes from `offset` on of a resumable upload, which the request with this token has sent."""
        self._storage.put(_segment(id, offset, token), data)

    def get_segment(self, id: str, offset: int, token: str) -> bytes:
        """Reads such bytes."""
        return self._storage.get(_segment(id, offset, token))

    def delete_segments(self, id: str) -> None:
        """Deletes all segments of a resumable upload."""
        self._storage.delete_folder(f"jobs/{id}/upload")

    def put_source_piece_early(self, id: str, piece: int, data: bytes) -> Sync:
        """Stores a piece of a source, the file that a worker converts. Each but the last is SOURCE_PIECE_BYTES long.

        It outlives a power cut after the `wait` of what is returned.
        """
        return self._storage.put_early(_object(id, "source", piece, ""), data)

    def get_source(self, id: str, piece: int, start: int, length: int) -> bytes:
        """Reads a range of one piece of a source."""
        return self._storage.get_range(_object(id, "source", piece, ""), start, length)

    def put_planning(self, id: str, name: str, document: bytes) -> None:
        """Stores what workers have to know to plan a job by URL, under a name such as `head` or `range-0000000`."""
        self._storage.put(f"jobs/{id}/planning/{name}", document)

    def get_planning(self, id: str, name: str) -> bytes | None:
        """Reads such a document. Returns None if there is none."""
        try:
            return self._storage.get(f"jobs/{id}/planning/{name}")
        except FileNotFoundError:
            return None

    def delete_planning(self, id: str) -> None:
        """Deletes all of these documents: the job is planned."""
        self._storage.delete_folder(f"jobs/{id}/planning")

    def put_spans(self, id: str, page: int, document: bytes) -> None:
        """Stores where the rows of some chunks lie."""
        self._storage.put(_object(id, "spans", page, ""), document)

    def get_spans(self, id: str, page: int) -> bytes:
        """Reads where the rows of some chunks lie."""
        return self._storage.get(_object(id, "spans", page, ""))

    def put_unpacked(self, id: str, name: str, piece: int, data: bytes) -> None:
        """Stores a piece of an unpacked file. Each but the last is SOURCE_PIECE_BYTES long."""
        self._storage.put(_unpacked(id, name, piece), data)

    def get_unpacked(self, id: str, name: str, start: int, length: int) -> bytes:
        """Reads a range of an unpacked file."""
        pieces = []
        while length:
            piece, at = divmod(start, SOURCE_PIECE_BYTES)
            some = min(length, SOURCE_PIECE_BYTES - at)
            pieces.append(self._storage.get_range(_unpacked(id, name, piece), at, some))
            start, length = start + some, length - some
        return b"".join(pieces)

    def put_found(self, id: str, document: bytes) -> None:
        """Stores what a worker found in the source of a check."""
        self._storage.put(f"jobs/{id}/found.json", document)

    def put_actuals(self, id: str, document: bytes) -> None:
        """Stores the report of a job that joined actuals."""
        self._storage.put(f"jobs/{id}/actuals.json", document)

    def get_actuals(self, id: str) -> bytes:
        """Reads the report of a job that joined actuals. Raises FileNotFoundError if the job has none."""
        return self._storage.get(f"jobs/{id}/actuals.json")

    def get_found(self, id: str) -> bytes | None:
        """Reads what a worker found in the source of a check. Returns None if none has opened it."""
        try:
            return self._storage.get(f"jobs/{id}/found.json")
        except FileNotFoundError:
            return None

    def delete_source(self, id: str) -> None:
        """Deletes a source, whose rows are chunks now."""
        self._storage.delete_folder(f"jobs/{id}/source")

    def delete(self, id: str) -> int:
        """Deletes every file of the job, its manifest first. Returns how many other files there were."""
        self.delete_manifest(id)
        return self._storage.delete_folder(f"jobs/{id}")

    def jobs(self) -> list[str]:
        """Returns the ids of the jobs that have files."""
        return self._storage.folders("jobs")

    def sizes(self, id: str) -> dict[str, int]:
        """Returns the length in bytes of each file of the job, by `FOLDER/CHUNK` or `header`."""
        top = f"jobs/{id}/"
        return {path.removeprefix(top): size for path, size in self._storage.entries(top.rstrip("/"))}

    def check(self) -> None:
        """Checks that the store can be written and read."""
        self._storage.check()


def pieces_of(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the same bytes in pieces of SOURCE_PIECE_BYTES; the last one may be shorter."""
    held = bytearray()
    for block in blocks:
        held += block
        while len(held) >= SOURCE_PIECE_BYTES:
            yield bytes(held[:SOURCE_PIECE_BYTES])
            del held[:SOURCE_PIECE_BYTES]
    if held:
        yield bytes(held)


def name_of(folder: str, chunk: int, revision: str = "") -> str:
    """Returns a file's name below its job's folder, for example `parts/0000012`."""
    return f"{folder}/{chunk:07d}" + (f"-{revision}" if revision else "")


def digest(data: bytes) -> bytes:
    """Returns the digest of a part: its XXH3 with 128 bits.

    It detects damage: other bytes have the same digest by chance once in 2**128 times. It does not protect against a
    person with write access to the store, because other bytes with the same digest can be computed.
    """
    return xxhash.xxh3_128_digest(data)


def digest_of_blocks(blocks: Iterable[bytes]) -> bytes:
    """Returns the digest of a part that is given in blocks."""
    seen = xxhash.xxh3_128()
    for block in blocks:
        seen.update(block)
    return seen.digest()


def _manifest(id: str) -> str:
    return f"jobs/{id}/job.json"


def _object(id: str, folder: str, chunk: int, revision: str) -> str:
    return f"jobs/{id}/{name_of(folder, chunk, revision)}"


def _unpacked(id: str, name: str, piece: int) -> str:
    return f"jobs/{id}/unpacked/{name}-{piece:07d}"


def _segment(id: str, offset: int, token: str) -> str:
    return f"jobs/{id}/upload/{offset:012d}-{token}"
