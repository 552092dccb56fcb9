"""A batch's result as a Parquet file: a worker writes it at the first request, the gateway sends it."""

import time

from api.output.responses import RECHECK_SECONDS
from api.services import Services
from rowcast.errors import JobExpired, ParquetUnfinished, ResultLost
from rowcast.jobs.job import Job, ParquetFile
from rowcast.jobs.states import Status

MEDIA_TYPE = "application/vnd.apache.parquet"

WAIT_SECONDS = 30.0
"""How long a request waits for the file if it does not say."""

_BLOCK_BYTES = 4 * 1024**2
_RETRY_AFTER_SECONDS = 2


def written_file(services: Services, job: Job, wait_seconds: float, *, is_read: bool = True) -> "ParquetBytes":
    """Returns the file of a job that has succeeded. If there is none yet, a worker writes it while this waits.

    If not `is_read`, only one byte is read, to see that the file is there.

    Raises:
        ParquetUnfinished: it is not there in time. ResultLost: it cannot be written.
        JobExpired, JobDeleted: the job's files were removed.
    """
    until = time.monotonic() + wait_seconds
    with services.notifications.expect(job.id, parts=True) as waiter:
        if (content := _in_store(services, job, is_read=is_read)) is not None:
            return content
        if services.records.request_parquet(job.id, job.parquet) == "over":
            _require_succeeded(services, job.id)
        while True:
            job = services.records.get(job.id)
            if (content := _in_store(services, job, is_read=is_read)) is not None:
                return content
            if job.parquet_failed:
                raise ResultLost(
                    f"The result of job {job.id} cannot be written as Parquet. Fetch it as CSV or NDJSON; "
                    "the log of the workers says why."
                )
            _require_succeeded(services, job.id)
            if (left := until - time.monotonic()) <= 0:
                raise ParquetUnfinished(
                    f"The result of job {job.id} is being written as Parquet. Send the request again.",
                    _RETRY_AFTER_SECONDS,
                )
            waiter.wait(min(left, RECHECK_SECONDS))


def _require_succeeded(services: Services, id: str) -> None:
    """Checks that the job still is what it was: it may have been repaired, deleted or expired in the meantime."""
    status = services.records.get(id).status
    if status is Status.EXPIRED:
        raise JobExpired(f"The result of job {id} has expired. Send the rows again.")
    if status is not Status.SUCCEEDED:
        raise ParquetUnfinished(
            f"Job {id} is {status} again, because its bad rows are corrected.", _RETRY_AFTER_SECONDS
        )


def _in_store(services: Services, job: Job, *, is_read: bool) -> "ParquetBytes | None":
    if job.parquet is None:
        return None
    content = ParquetBytes(services, job.id, job.parquet)
    try:
        content.prefetch(_BLOCK_BYTES if is_read else 1)
    except FileNotFoundError:
        return None
    return content


class ParquetBytes:
    """The file as a seekable sequence of bytes, which Werkzeug needs for ranges."""

    def __init__(self, services: Services, id: str, file: ParquetFile) -> None:
        self._services, self._id, self.file = services, id, file
        self._position = 0
        self._ready: bytes | None = None

    def prefetch(self, most_bytes: int = _BLOCK_BYTES) -> None:
        """Reads the first block, so that an error is raised before the response begins.

        Raises:
            FileNotFoundError: the file is not in the store.
        """
        self._ready = self._read(most_bytes)

    def __iter__(self) -> "ParquetBytes":
        return self

    def __next__(self) -> bytes:
        block, self._ready = self._read() if self._ready is None else self._ready, None
        if not block:
            raise StopIteration
        self._position += len(block)
        return block

    def seekable(self) -> bool:
        """Returns True: `seek` works."""
        return True

    def seek(self, position: int) -> None:
        """Moves to an offset from the beginning."""
        self._position, self._ready = position, None

    def tell(self) -> int:
        """Returns the offset of the next byte."""
        return self._position

    def _read(self, most_bytes: int = _BLOCK_BYTES) -> bytes:
        length = min(most_bytes, self.file.length - self._position)
        if length <= 0:
            return b""
        return self._services.files.get_parquet(self._id, self.file.name, self._position, length)
