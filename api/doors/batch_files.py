"""The two files of a batch: made of the stored parts while they are sent. Their length is kept once it is known."""

from collections.abc import Iterator
from contextlib import suppress

from api.doors.batch_lines import batch_lines
from api.doors.batch_object import OUTPUT, has_files
from api.doors.openai_problems import row_problem
from api.output.responses import POLL_AFTER_SECONDS, own_job
from api.output.result_parts import PATIENCE_IN_STREAM_SECONDS, Parts
from api.services import Services
from rowcast.errors import JobExpired, JobUnfinished, Unavailable, UnknownFile
from rowcast.jobs.chunk_tables import unpack_whole_plan
from rowcast.jobs.job import Job
from rowcast.jobs.records.redis_client import redis_errors
from rowcast.jobs.records.redis_keys import key


class BatchFile:
    """One file of a batch that has ended."""

    def __init__(self, services: Services, id: str, kind: str) -> None:
        """`id` is that of the job.

        Raises:
            UnknownFile: the job is not a batch of requests. JobUnfinished, JobExpired: it has no files yet, or no
                longer. The others are those of `own_job`.
        """
        self._services, self._kind = services, kind
        #: The batch.
        self.job = _ended(own_job(id), kind)

    @property
    def filename(self) -> str:
        """Name of the file."""
        return f"batch_{self.job.id}_{self._kind}.jsonl"

    def length(self) -> int:
        """Returns the length in bytes. Until it is known, the lines are made to count it."""
        with redis_errors():
            kept = self._services.redis.get(self._length_key)
        ended, _, length = (kept or b"").partition(b" ")
        if ended != self._ended:
            return sum(map(len, self.blocks()))
        return int(length)

    def blocks(self) -> Iterator[bytes]:
        """Yields the lines, several at a time. After the last one, the length is known."""
        length = 0
        for block in self._lines():
            length += len(block)
            yield block
        self._keep(length)

    def _lines(self) -> Iterator[bytes]:
        services, job = self._services, self.job
        parts = Parts(services, job.id, job.chunks_total, job.revisions)
        parts.require_whole(job.chunks_done)
        plan = unpack_whole_plan(services.records.plan(job.id))
        read = (
            (chunk.first_row, parts.read(number, 0, PATIENCE_IN_STREAM_SECONDS))
            for number, (chunk, part) in enumerate(zip(plan, parts.stored, strict=True))
            if (part.rows > part.rows_failed if self._kind == OUTPUT else part.rows_failed)
        )
        return batch_lines(read, job, services.models_of(job), self._kind, row_problem)

    def _keep(self, length: int) -> None:
        """Keeps the length for this end of the batch: after a retry it ends again, with other files."""
        kept_seconds = int(self._services.settings.retention) + 1
        with suppress(Unavailable), redis_errors():
            self._services.redis.set(self._length_key, self._ended + b" %d" % length, ex=kept_seconds)

    @property
    def _length_key(self) -> str:
        return key("batch_file", f"{self.job.id}-{self._kind}")

    @property
    def _ended(self) -> bytes:
        return b"%d" % (self.job.finished_ms or 0)


def _ended(job: Job, kind: str) -> Job:
    if job.spec.requests is None:
        raise UnknownFile(f"File not found: file-{job.id}-{kind}.")
    if not job.status.is_terminal:
        message = f"Batch {job.id} is {job.status}. Its files are complete when it has ended."
        raise JobUnfinished(message, None, POLL_AFTER_SECONDS)
    if not has_files(job):
        raise JobExpired(f"The files of batch {job.id} have expired. Send the requests again.")
    return job
