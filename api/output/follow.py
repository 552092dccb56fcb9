"""Following a job: its result part by part, each sent as soon as it and all before it are stored."""

import errno
from collections.abc import Iterator

from api.input.live_upload import LiveUpload
from api.notifications import Waiter
from api.output.responses import DOUBT_SECONDS
from api.output.result_parts import PATIENCE_IN_STREAM_SECONDS, Parts
from api.services import Services
from rowcast.errors import RowcastError
from rowcast.jobs.job import Job
from rowcast.jobs.states import Status
from rowcast.logs import logger

_LOOK_PARTS = 256
"""Parts that are looked for at a time; of all that a large job has, few are new."""


class CutShort(BrokenPipeError):
    """Ends an answer that has begun without its last chunk, so that nobody takes it for whole.

    gunicorn closes the connection, as it does where the caller has hung up, and does not log a fault.
    """

    def __init__(self, why: str) -> None:
        super().__init__(errno.EPIPE, why)


def follow(services: Services, job: Job, head: bytes) -> Iterator[bytes]:
    """The job's whole result in blocks, however long it takes.

    Raises:
        CutShort: the job has failed, was cancelled or deleted, or what it needs is away.
    """
    log = logger("gateway").bind(job=job.id)
    try:
        yield head
        with services.notifications.expect(job.id, parts=True) as news:
            parts = Parts(services, job.id, job.chunks_total)
            for number in range(job.chunks_total):
                _wait_for(services, job, parts, number, news)
                yield from parts.read(number, 0, PATIENCE_IN_STREAM_SECONDS)
        _require_success(services, job)
    except RowcastError as error:
        log.warning("follow_cut_short", reason=error.detail)
        raise CutShort(error.detail) from None


def _require_success(services: Services, job: Job) -> None:
    """A job whose parts are all there has failed nevertheless if every row is bad."""
    status = services.records.get(job.id).status
    if status.is_terminal and status is not Status.SUCCEEDED:
        raise CutShort(f"the job is {status}")


def follow_upload(services: Services, id: str, upload: LiveUpload) -> Iterator[bytes]:
    """The result of a job whose rows still arrive: head and parts so far, then the rest as `follow` gives it.

    Raises:
        CutShort: as `follow`; or the upload breaks off, or is refused.
    """
    try:
        yield upload.head or b""
        with services.notifications.expect(id, parts=True) as news:
            parts, number = Parts(services, id, 0), 0
            while not upload.has_ended:
                parts.grow(upload.chunks)
                while _is_there(parts, number):
                    yield from parts.read(number, 0, PATIENCE_IN_STREAM_SECONDS)
                    number += 1
                news.wait(DOUBT_SECONDS)
            job = services.records.get(upload.result().id)
            parts.grow(job.chunks_total)
            for rest in range(number, job.chunks_total):
                _wait_for(services, job, parts, rest, news)
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
        parts.look(number, _LOOK_PARTS)
    return parts.stored[number].is_stored


def _wait_for(services: Services, job: Job, parts: Parts, number: int, news: Waiter) -> None:
    while not parts.stored[number].is_stored:
        parts.look(number, _LOOK_PARTS)
        if parts.stored[number].is_stored:
            return
        status = services.records.get(job.id).status
        if status.is_terminal and status is not Status.SUCCEEDED:
            raise CutShort(f"the job is {status}")
        if not status.is_terminal:  # else: it has just succeeded, and the part is there
            news.wait(DOUBT_SECONDS)
