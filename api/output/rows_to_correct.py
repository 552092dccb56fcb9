"""The bad rows of a job as a file to correct (`?as=input`)."""

from collections.abc import Iterator
from itertools import chain

from api.output.result_parts import PATIENCE_IN_STREAM_SECONDS, PATIENCE_SECONDS, Parts
from api.services import Services
from rowcast.csv.decompression import yield_to_other_requests
from rowcast.errors import ResultLost
from rowcast.jobs.chunk_tables import unpack_whole_plan
from rowcast.jobs.job import Job
from rowcast.jobs.repair.bad_rows import bad_rows, header_line


def bad_rows_as_input(services: Services, job: Job, parts: Parts) -> Iterator[bytes]:
    """Returns a CSV with the columns `_row`, `_error` and `_job` and those of the input, in blocks.

    Raises:
        ResultLost: a file of the job is missing. Restoring: it is being made again. Both also while blocks are taken.
    """
    blocks = _blocks(services, job, parts)
    first = next(blocks, b"")  # if the store is unavailable, respond with 503 now instead of a broken 200 later
    return chain([_header(job), first], blocks)


def _header(job: Job) -> bytes:
    return header_line(job.spec.input.columns if job.spec.input else (), job.spec.options.delimiter)


def _blocks(services: Services, job: Job, parts: Parts) -> Iterator[bytes]:
    plan, patience_seconds = unpack_whole_plan(services.records.plan(job.id)), PATIENCE_SECONDS
    for number, part in enumerate(parts.stored):
        if not part.error_bytes:
            continue
        errors = parts.errors(number, patience_seconds)
        patience_seconds = PATIENCE_IN_STREAM_SECONDS
        try:
            data = services.files.get_input(job.id, number, job.revisions.get(number, ""))
        except FileNotFoundError:
            raise ResultLost(f"Chunk {number} of job {job.id} is lost. Send the file again.") from None
        for block in bad_rows(data, plan[number].first_row, errors, job.spec.options.delimiter, job.id):
            yield block
            yield_to_other_requests()
