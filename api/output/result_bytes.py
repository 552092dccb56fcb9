"""A batch's result as one sequence of bytes: the header line, then the parts in order."""

from collections.abc import Iterator
from itertools import takewhile

from api.output.result_parts import PATIENCE_IN_STREAM_SECONDS, PATIENCE_SECONDS, Parts, require_kept
from api.services import Services
from rowcast.errors import ResultLost
from rowcast.jobs.job import Job


def header_line(services: Services, job: Job) -> bytes:
    """Returns the header line of a result.

    Raises:
        ResultLost: it is missing in the store. JobDeleted, JobExpired: the job's files were removed.
    """
    try:
        return services.files.get_header(job.id)
    except FileNotFoundError:
        require_kept(services, job.id)
        raise ResultLost(f"The header line of the result of job {job.id} is lost. Send the file again.") from None


class ResultBytes:
    """The header line and the parts as one seekable sequence of bytes, which Werkzeug needs for ranges.

    Of a job that has not succeeded, these are the parts before the first one that is not stored.
    """

    def __init__(self, services: Services, job: Job) -> None:
        self._services, self._job = services, job
        self._parts = Parts(services, job.id, job.chunks_total, job.revisions)
        stored = takewhile(lambda part: part.is_stored, self._parts.stored)
        self._sizes = [job.spec.header_bytes, *(part.part_bytes for part in stored)]
        self.length = sum(self._sizes)
        """Number of bytes in all."""
        self._piece = self._offset = 0
        """Piece and offset at which the next block begins. The header line is piece 0, part n is piece n + 1."""
        self._blocks: Iterator[bytes] = iter(())
        self._ready: list[bytes] = []

    def prefetch(self) -> None:
        """Reads the header line and the first part, so that an error is raised before the response begins."""
        self._parts.require_whole(self._job.chunks_done)
        self._ready = [self._read(PATIENCE_SECONDS) for _ in self._sizes[:2]]

    def __iter__(self) -> "ResultBytes":
        return self

    def __next__(self) -> bytes:
        block = self._ready.pop(0) if self._ready else self._read(PATIENCE_IN_STREAM_SECONDS)
        if not block:
            raise StopIteration
        return block

    def seekable(self) -> bool:
        """Returns True: `seek` works."""
        return True

    def seek(self, position: int) -> None:
        """Moves to an offset from the beginning."""
        self._ready, self._blocks, self._piece = [], iter(()), 0
        while self._piece < len(self._sizes) and position >= self._sizes[self._piece]:
            position -= self._sizes[self._piece]
            self._piece += 1
        self._offset = position

    def tell(self) -> int:
        """Returns the offset of the next byte."""
        return sum(self._sizes[: self._piece]) + self._offset - sum(map(len, self._ready))

    def _read(self, patience_seconds: float) -> bytes:
        while not (block := next(self._blocks, b"")):
            while self._piece < len(self._sizes) and self._offset >= self._sizes[self._piece]:
                self._piece, self._offset = self._piece + 1, 0
            if self._piece == len(self._sizes):
                return b""
            self._blocks = self._piece_from(self._piece, self._offset, patience_seconds)
        self._offset += len(block)
        return block

    def _piece_from(self, piece: int, start: int, patience_seconds: float) -> Iterator[bytes]:
        if piece == 0:
            return iter([header_line(self._services, self._job)[start:]])
        return self._parts.read(piece - 1, start, patience_seconds)
