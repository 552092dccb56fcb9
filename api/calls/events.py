"""`/jobs/ID/events`: a job's progress as Server-Sent Events (WHATWG HTML, section 9.2)."""

import json
import time
from collections.abc import Iterator
from typing import Literal

from flask import Blueprint, Response, g
from typing_extensions import TypedDict

from api.openapi.call_types import Answer, Call, documented
from api.output.responses import LOOKUP_ERRORS, UNBUFFERED, job_document, own_job
from api.services import Services, current_services
from api.url_prefix import prefix
from rowcast.errors import RowcastError
from rowcast.jobs.job import Job

blueprint = Blueprint("events", __name__, url_prefix="/jobs")


class Event(TypedDict):
    """One event; `data` is the job as JSON."""

    event: Literal["progress", "end"]
    data: str


PACE_SECONDS = 0.25
"""Shortest time between two events of one job."""

QUIET_SECONDS = 5.0
"""Time without a change after which the job is read again, and a comment keeps proxies from closing the connection."""


@blueprint.get("/<id>/events")
@documented(Call("jobs", {200: Answer("An event for each change.", {"text/event-stream": Event})}, LOOKUP_ERRORS))
def get_events(id: str) -> Response:
    """Streams the job at each change, at most four times a second, and at its end."""
    stream = _events(current_services(), own_job(id), g.scope, prefix())
    headers = {"Cache-Control": "no-store", **UNBUFFERED}
    return Response(stream, content_type="text/event-stream", headers=headers)


def _events(services: Services, job: Job, owner: str | None, url_prefix: str) -> Iterator[bytes]:
    with services.notifications.expect(job.id, parts=True) as waiter:
        seen = None
        while not job.status.is_terminal:
            if (now := (job.status, job.rows_done)) != seen:
                seen = now
                yield _text({"event": "progress", "data": _json(job, url_prefix)})
            else:
                yield b": no change\n\n"
            sent = time.monotonic()
            waiter.wait(QUIET_SECONDS)
            time.sleep(max(0.0, sent + PACE_SECONDS - time.monotonic()))
            try:
                job = services.records.get(job.id, owner)
            except RowcastError:  # deleted, or Redis is unreachable: the caller connects again, and gets the error
                return
    yield _text({"event": "progress", "data": _json(job, url_prefix)})
    yield _text({"event": "end", "data": _json(job, url_prefix)})


def _json(job: Job, url_prefix: str) -> str:
    return json.dumps(job_document(job, url_prefix))


def _text(event: Event) -> bytes:
    return f"event: {event['event']}\ndata: {event['data']}\n\n".encode()
