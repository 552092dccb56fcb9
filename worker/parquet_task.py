"""The Parquet task: writes the result of a job that has succeeded as a Parquet file, and notes it in the record."""

import hashlib
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from rowcast.errors import Gone, NotFound, Restoring, ResultLost, Unavailable
from rowcast.jobs.chunk_tables import PartEntry, unpack_parts
from rowcast.jobs.job import Job, ParquetFile
from rowcast.jobs.job_files import digest
from rowcast.jobs.records.leases import ChunkLease
from rowcast.jobs.records.policy import STRIKES_ALLOWED, STRIKES_OF_ERROR
from rowcast.logs import logging_about
from rowcast.models.model_set import ModelSet
from rowcast.scoring.parquet.parquet_result import ParquetResult
from worker.resources import Resources

_LONGEST_SECONDS = 6 * 3600.0
"""Time limit of one file. A file may have thousands of parts, so the limit of a chunk does not apply."""


class ParquetTask:
    """Writes Parquet files. `between` is called often, so that single rows can be predicted meanwhile."""

    def __init__(self, resources: Resources, between: Callable[[], None]) -> None:
        self._resources, self._between = resources, between

    def write(self, lease: ChunkLease) -> None:
        """Writes the file of a leased job; whatever happens, its lease has ended afterwards or ends by itself."""
        resources = self._resources
        log = resources.log
        about = lease.origin.fields(lease.id) | {"attempt": lease.attempt}
        with (
            logging_about(about),
            resources.span("write Parquet file", lease) as span,
            resources.watchdog.holding([lease], _LONGEST_SECONDS),
        ):
            try:
                self._write_and_commit(lease, log)
            except Unavailable as error:
                span.fail(error.detail)
                resources.postpone([lease], error, log)
            except (Gone, NotFound) as error:
                log.info("parquet_not_needed", reason=error.detail)
            except ResultLost as error:
                log.warning("parquet_failed", reason=error.detail)
                span.fail(error.detail)
                resources.watchdog.release([lease], error.recorded(), strikes=STRIKES_ALLOWED)
            except Exception as error:
                log.exception("parquet_raised")
                span.fail(f"{type(error).__name__}: {error}")
                problem = ResultLost(f"The Parquet file raised {type(error).__name__}: {error}").recorded()
                resources.watchdog.release([lease], problem, strikes=STRIKES_OF_ERROR, delay_seconds=lease.attempt)

    def _write_and_commit(self, lease: ChunkLease, log: Any) -> None:
        started, resources = time.perf_counter(), self._resources
        job = resources.records.get(lease.id)
        models = ModelSet(tuple(resources.models.get(one.name, one.version).manifest for one in job.spec.models))
        entries = list(unpack_parts(resources.records.parts(job.id, 0, job.chunks_total), job.chunks_total))
        with tempfile.TemporaryFile() as file:
            ParquetResult(job.spec, models, self._between).write(file, lambda: self._parts(job, entries))
            length = file.tell()
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            stored = ParquetFile(name=f"{job.repairs}-{secrets.token_hex(4)}", length=length, sha256=sha256)
            resources.files.put_parquet(job.id, stored.name, file)
        is_noted = resources.leases.commit_parquet(lease, job.repairs, stored)
        if not is_noted:
            resources.files.delete_parquet(job.id, stored.name)
        seconds = round(time.perf_counter() - started, 3)
        log.info("parquet_written", rows=job.rows_total, bytes=length, seconds=seconds, is_noted=is_noted)

    def _parts(self, job: Job, entries: list[PartEntry]) -> Iterator[bytes]:
        """Yields the parts of the result in order.

        Raises:
            Restoring: a part is damaged, and is made again. ResultLost: it cannot be.
        """
        for chunk, entry in enumerate(entries):
            if not entry.rows:
                continue
            try:
                data = self._resources.files.get_whole_part(job.id, chunk, job.revisions.get(chunk, ""))
            except FileNotFoundError:
                data = b""
            if digest(data) != entry.digest:
                if self._resources.records.get(job.id).lost_chunk is not None:
                    raise ResultLost(f"Part {chunk} of the result of job {job.id} is lost. Send the file again.")
                self._resources.records.rescore_part(job.id, chunk)
                raise Restoring(f"Part {chunk} of the result is damaged and is being made again.")
            yield data
