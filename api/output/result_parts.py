"""The parts of a result in the store. Each is checked when it is read, and made again if it is damaged.

If a part is missing, cut short or changed, it does not match the digest in its record. Scoring the chunk again produces
the same bytes, so a worker is asked to do that, while the reader waits for a short time.
"""

import time
from collections.abc import Callable, Iterator, Mapping

from api.services import Services
from rowcast.errors import JobExpired, Restoring, ResultLost, Unavailable
from rowcast.jobs.chunk_tables import PartEntry, unpack_parts
from rowcast.jobs.job_files import digest, digest_of_blocks
from rowcast.jobs.states import Status
from rowcast.logs import logger

PATIENCE_SECONDS = 3.0
"""How long a response that has not begun waits for a part to be made again. After that it is a 503."""

PATIENCE_IN_STREAM_SECONDS = 30.0
"""The same for a response that has begun, which can only be cut off."""

_LOOK_SECONDS = 0.1
_NO_REVISIONS: Mapping[int, str] = {}
_WHOLE_BYTES = 16 * 1024 * 1024
"""Parts up to this size are read at once, longer ones in blocks of it. Models with thousands of classes make those."""


def require_kept(services: Services, id: str) -> None:
    """Checks whether a job's files are missing because the job was deleted or has expired.

    Raises:
        JobDeleted, JobExpired: that is the reason.
    """
    if services.records.get(id).status is Status.EXPIRED:
        raise JobExpired(f"The files of job {id} have expired. Send the rows again.")


class Parts:
    """The stored parts of one job. If the job has succeeded, these are all its parts."""

    def __init__(self, services: Services, id: str, chunks: int, revisions: Mapping[int, str] = _NO_REVISIONS) -> None:
        """Reads the entries of the parts.

        Args:
            services: what the gateway works with.
            id: the job's id.
            chunks: the number of the job's chunks that are known so far.
            revisions: `Job.revisions`.
        """
        self._services, self._id, self._chunks, self._revisions = services, id, chunks, revisions
        self.stored: list[PartEntry] = []
        """The recorded entry of each part, by number. `refresh` updates them."""
        self.refresh(0, chunks)

    def grow(self, chunks: int) -> None:
        """Sets the total number of chunks, for a job that still arrives."""
        self._chunks = chunks
        self.refresh(len(self.stored), chunks - len(self.stored))

    def refresh(self, first: int, max_count: int) -> None:
        """Reads the entries of at most `max_count` parts again, from number `first` on."""
        count = min(max_count, self._chunks - first)
        table = self._services.records.parts(self._id, first, count)
        self.stored[first : first + count] = unpack_parts(table, count)

    def require_whole(self, chunks_done: int) -> None:
        """Checks that no part was lost since the job was read, when it had `chunks_done` parts.

        Raises:
            JobDeleted, JobExpired: the files were removed in between.
            Restoring: Redis was emptied in between.
        """
        if sum(part.is_stored for part in self.stored) >= chunks_done:
            return
        require_kept(self._services, self._id)
        raise Restoring(f"The record of job {self._id} was lost and is being restored from the store.")

    def read(self, number: int, start: int, patience_seconds: float) -> Iterator[bytes]:
        """Yields a part from the offset `start` on, in blocks, after checking the digest of the whole part.

        Raises:
            Restoring: the part is damaged, and was not made again in time.
            ResultLost: the part cannot be made again.
        """
        part = self.stored[number]
        if part.part_bytes <= _WHOLE_BYTES:
            yield self._good(number, patience_seconds, lambda: self._whole(number))[start:]
            return
        self._good(number, patience_seconds, lambda: self._hashed_in_blocks(number))
        for begin in range(start, part.part_bytes, _WHOLE_BYTES):
            yield self._block(number, begin)

    def errors(self, number: int, patience_seconds: float) -> bytes:
        """Returns the list of a part's bad rows, whose size is checked; it has no digest. Raises as `read`."""

        def read() -> bytes | None:
            data = self._services.files.get_errors(self._id, number, self._revisions.get(number, ""))
            return data if len(data) == self.stored[number].error_bytes else None

        return self._good(number, patience_seconds, read)

    def _good(self, number: int, patience_seconds: float, read: Callable[[], bytes | None]) -> bytes:
        """Returns what `read` returns. If that is None, or the file is missing, has the part made again first."""
        until, is_asked = time.monotonic() + patience_seconds, False
        while True:
            try:
                data = read()
            except FileNotFoundError:
                data = None
            if data is not None:
                return data
            if not is_asked:
                is_asked = self._ask_for(number)  # a job that still runs: tried again, until it has ended
            elif self._services.records.get(self._id).lost_chunk is not None:
                raise ResultLost(f"Part {number} of the result of job {self._id} is lost. Send the file again.")
            if time.monotonic() > until:
                raise Restoring(f"Part {number} of the result is damaged and is being made again.")
            time.sleep(_LOOK_SECONDS)

    def _ask_for(self, number: int) -> bool:
        logger("gateway").error("part_damaged", job=self._id, chunk=number)
        if self._services.records.rescore_part(self._id, number):
            return True
        require_kept(self._services, self._id)
        status = self._services.records.get(self._id).status
        if status.is_terminal:
            raise ResultLost(f"Part {number} of job {self._id}, which is {status}, is lost. Send the file again.")
        return False

    def _whole(self, number: int) -> bytes | None:
        data = self._services.files.get_whole_part(self._id, number, self._revisions.get(number, ""))
        return data if digest(data) == self.stored[number].digest else None

    def _hashed_in_blocks(self, number: int) -> bytes | None:
        part = self.stored[number]
        try:
            found = digest_of_blocks(self._block(number, begin) for begin in range(0, part.part_bytes, _WHOLE_BYTES))
        except Unavailable:  # a store may also report a range beyond the end of a short part in this way
            return None
        return b"" if found == part.digest else None

    def _block(self, number: int, begin: int) -> bytes:
        size = min(_WHOLE_BYTES, self.stored[number].part_bytes - begin)
        return self._services.files.get_part(self._id, number, begin, size, self._revisions.get(number, ""))
