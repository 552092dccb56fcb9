"""Following a job: streams its result. Each part is sent as soon as it and all parts before it are stored."""

import errno
from collections.abc import Iterator

from api.input.live_upload import LiveUpload
from api.notifications import Waiter
from api.output.responses import RECHECK_SECONDS
from api.output.result_parts import PATIENCE_IN_STREAM_SECONDS, Parts
from api.services import Services
from rowcast.errors import RowcastError
from rowcast.jobs.job import Job
from rowcast.jobs.states import Status
from rowcast.logs import logger

_REFRESHED_PARTS = 256
"""Number of parts whose entries are read at a time. Of a large job's parts only a few are new."""


_CONVERSION_SECONDS = 0.5
"""How often a follower looks for chunks of a file that is being converted."""


class CutShort(BrokenPipeError):
    """Cuts off a response that has begun, without its last HTTP chunk, so that no client takes it for complete.

    gunicorn closes the connection as if the caller had hung up, and does not log an error.
    """

    def __init__(self, why: str) -> None:
        super().__init__(errno.EPIPE, why)


def follow(services: Services, job: Job, header: bytes) -> Iterator[bytes]:
    """Yields the job's whole result in blocks, and waits for parts as long as it takes.

    Raises:
        CutShort: the job failed, was cancelled or deleted, or Redis or the store is unavailable.
    """
    log = logger("gateway").bind(job=job.id)
    try:
        yield header
        with services.notifications.expect(job.id, parts=True) as waiter:
            parts, number = Parts(services, job.id, job.chunks_total, job.revisions), 0
            while number < job.chunks_total or job.is_converting:
                if number == job.chunks_total:  # the worker that converts the file has not added it yet
                    job = _grown(services, job, parts, waiter)
                    continue
                _wait_for(services, job, parts, number, waiter)
                yield from parts.read(number, 0, PATIENCE_IN_STREAM_SECONDS)
                number += 1
        _require_success(services, job)
    except RowcastError as error:
        log.warning("follow_cut_short", reason=error.detail)
        raise CutShort(error.detail) from None


def converting_begun(services: Services, job: Job) -> Job:
    """Waits until the columns of a file that a worker converts are known, or the job has ended. Returns it as it is."""
    with services.notifications.expect(job.id, parts=True) as waiter:
        while job.is_converting and not job.chunks_total and not job.status.is_terminal:
            waiter.wait(_CONVERSION_SECONDS)
            job = services.records.get(job.id)
    return job


def _grown(services: Services, job: Job, parts: Parts, waiter: Waiter) -> Job:
    """Returns the job as it is now, with the chunks that have been added; waits a while if there are none."""
    now = services.records.get(job.id)
    if now.status.is_terminal and now.status is not Status.SUCCEEDED:
        raise CutShort(f"the job is {now.status}")
    if now.chunks_total == job.chunks_total and now.is_converting:
        waiter.wait(_CONVERSION_SECONDS)
        now = services.records.get(job.id)
    parts.grow(now.chunks_total)
    return now


def _require_success(services: Services, job: Job) -> None:
    """Checks that the job succeeded. A job with all its parts has still failed if every row is bad."""
    status = services.records.get(job.id).status
    if status.is_terminal and status is not Status.SUCCEEDED:
        raise CutShort(f"the job is {status}")


def follow_upload(services: Services, id: str, upload: LiveUpload) -> Iterator[bytes]:
    """Yields the result of a job whose rows still arrive: header line and parts so far, then the rest as `follow`.

    Raises:
        CutShort: as `follow`, or the upload is cut off or refused.
    """
    try:
        yield upload.header or b""
        with services.notifications.expect(id, parts=True) as waiter:
            parts, number = Parts(services, id, 0), 0
            while not upload.has_ended:
                parts.grow(upload.chunks)
                while _is_there(parts, number):
                    yield from parts.read(number, 0, PATIENCE_IN_STREAM_SECONDS)
                    number += 1
                waiter.wait(RECHECK_SECONDS)
            job = services.records.get(upload.result().id)
            parts.grow(job.chunks_total)
            for rest in range(number, job.chunks_total):
                _wait_for(services, job, parts, rest, waiter)
                yield from parts.read(rest, 0, PATIENCE_IN_STREAM_SECONDS)
        _require_success(services, job)
    except RowcastError as error:
        logger("gateway").warning("follow_cut_short", job=id, reason=error.detail)
        raise CutShort(error.detail) from None
    finally:
        upload.stop()


def _is_there(parts: Parts, number: int) -> bool:
    if number == len(parts.stored):
        return False
    if not parts.stored[number].is_stored:
        parts.refresh(number, _REFRESHED_PARTS)
    return parts.stored[number].is_stored


def _wait_for(services: Services, job: Job, parts: Parts, number: int, waiter: Waiter) -> None:
    while not parts.stored[number].is_stored:
        parts.refresh(number, _REFRESHED_PARTS)
        if parts.stored[number].is_stored:
            return
        status = services.records.get(job.id).status
        if status.is_terminal and status is not Status.SUCCEEDED:
            raise CutShort(f"the job is {status}")
        if not status.is_terminal:  # otherwise it has just succeeded, and the part is stored
            waiter.wait(RECHECK_SECONDS)
