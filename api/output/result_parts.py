"""The parts of a result as the store has them: checked as they are read, and made again where they are bad.

A part that is gone, cut short or changed does not fit the digest that its record has. Scoring gives the same bytes
again, so a worker is asked to make it anew; meanwhile the reader waits a little.
"""

import hashlib
import time
from collections.abc import Callable, Iterator

from api.services import Services
from api.threaded_storage import in_thread
from rowcast.errors import JobExpired, Restoring, ResultLost, Unavailable
from rowcast.jobs.chunk_tables import PartEntry, unpack_parts
from rowcast.jobs.job_files import digest
from rowcast.jobs.states import Status
from rowcast.logs import logger

PATIENCE_SECONDS = 3.0
"""How long an answer that has not begun waits for a part to be made again, before it becomes 503."""

PATIENCE_IN_STREAM_SECONDS = 30.0
"""The same in the middle of an answer, which can only be cut off."""

_LOOK_SECONDS = 0.1
_WHOLE_BYTES = 16 * 1024 * 1024
"""A part up to here is read in one go; a longer one, of a model with thousands of classes, in blocks of this size."""


def require_kept(services: Services, id: str) -> None:
    """Looks once more at a job of which something is missing.

    Raises:
        JobDeleted, JobExpired: that is why.
    """
    if services.records.get(id).status is Status.EXPIRED:
        raise JobExpired(f"The files of job {id} have expired.")


class Parts:
    """The parts of one job: all of one that has succeeded, of others those that are there."""

    def __init__(self, services: Services, id: str, chunks: int) -> None:
        """`chunks` is the number of the job's chunks, as far as they are known."""
        self._services, self._id, self._chunks = services, id, chunks
        self.stored: list[PartEntry] = []
        """What is recorded of each part, by its number; `look` brings it up to date."""
        self.look(0, chunks)

    def grow(self, chunks: int) -> None:
        """Takes note of so many chunks in all, of a job that still arrives."""
        self._chunks = chunks
        self.look(len(self.stored), chunks - len(self.stored))

    def look(self, first: int, most: int) -> None:
        """Reads anew what is recorded of the parts from number `first` on, of so many at most."""
        count = min(most, self._chunks - first)
        table = self._services.records.parts(self._id, first, count)
        self.stored[first : first + count] = unpack_parts(table, count)

    def require_whole(self, chunks_done: int) -> None:
        """Checks that all parts are still there, of which the job had `chunks_done` when it was read.

        Raises:
            JobDeleted, JobExpired: its files went in between.
            Restoring: Redis was emptied in between.
        """
        if sum(part.is_stored for part in self.stored) >= chunks_done:
            return
        require_kept(self._services, self._id)
        raise Restoring(f"The record of job {self._id} is being made again.")

    def read(self, number: int, start: int, patience_seconds: float) -> Iterator[bytes]:
        """A part from the offset `start` on, in blocks; nothing is given before the whole part is known to be good.

        Raises:
            Restoring: it is bad, and was not made again in time.
            ResultLost: it cannot be made again.
        """
        part = self.stored[number]
        if part.part_bytes <= _WHOLE_BYTES:
            yield self._good(number, patience_seconds, lambda: self._whole(number))[start:]
            return
        self._good(number, patience_seconds, lambda: self._hashed_in_blocks(number))
        for begin in range(start, part.part_bytes, _WHOLE_BYTES):
            yield self._block(number, begin)

    def errors(self, number: int, patience_seconds: float) -> bytes:
        """The list of a part's bad rows; raises as `read`. There is no digest of it, but its size is known."""

        def read() -> bytes | None:
            data = self._services.files.get_errors(self._id, number)
            return data if len(data) == self.stored[number].error_bytes else None

        return self._good(number, patience_seconds, read)

    def _good(self, number: int, patience_seconds: float, read: Callable[[], bytes | None]) -> bytes:
        """What `read` gives; where that is None or missing, the part is made again."""
        until, is_asked = time.monotonic() + patience_seconds, False
        while True:
            try:
                data = read()
            except FileNotFoundError:
                data = None
            if data is not None:
                return data
            if not is_asked:
                is_asked = self._ask_for(number)  # of a job that still runs when that has ended
            elif self._services.records.get(self._id).lost_chunk is not None:
                raise ResultLost(f"Part {number} of the result of job {self._id} is lost: send the file again.")
            if time.monotonic() > until:
                raise Restoring(f"Part {number} of the result is damaged and is being made again.")
            time.sleep(_LOOK_SECONDS)

    def _ask_for(self, number: int) -> bool:
        logger("gateway").error("part_damaged", job=self._id, part=number)
        if self._services.records.rescore_part(self._id, number):
            return True
        require_kept(self._services, self._id)
        status = self._services.records.get(self._id).status
        if status.is_terminal:
            raise ResultLost(f"A part of job {self._id}, which is {status}, is lost.")
        return False

    def _whole(self, number: int) -> bytes | None:
        data = self._services.files.get_whole_part(self._id, number)
        return data if in_thread(digest, data) == self.stored[number].digest else None

    def _hashed_in_blocks(self, number: int) -> bytes | None:
        part, seen = self.stored[number], hashlib.sha256()
        try:
            for begin in range(0, part.part_bytes, _WHOLE_BYTES):
                in_thread(seen.update, self._block(number, begin))
        except Unavailable:  # a range beyond the end of a part that was cut short is one of the store's many errors
            return None
        return b"" if seen.digest()[:16] == part.digest else None

    def _block(self, number: int, begin: int) -> bytes:
        size = min(_WHOLE_BYTES, self.stored[number].part_bytes - begin)
        return self._services.files.get_part(self._id, number, begin, size)
