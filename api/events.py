"""`/jobs/ID/events`: a job's progress as Server-Sent Events (WHATWG HTML, section 9.2)."""

import json
import time
from collections.abc import Iterator

from flask import Blueprint, Response, g

from api.answers import now_ms, own_job
from api.services import Services, services
from rowcast.errors import RowcastError
from rowcast.jobs.job import Job
from rowcast.jobs.public import public

blueprint = Blueprint("events", __name__, url_prefix="/jobs")

PACE_SECONDS = 0.25
"""The shortest time between two events of one job."""

QUIET_SECONDS = 5.0
"""After so long without a change the job is looked at all the same, and a comment keeps proxies from hanging up."""


@blueprint.get("/<id>/events")
def get_events(id: str) -> Response:
    """The job at each change, at most four times a second, and at its end."""
    stream = _events(services(), own_job(id), g.scope)
    return Response(stream, content_type="text/event-stream", headers={"Cache-Control": "no-store"})


def _events(at_hand: Services, job: Job, owner: str | None) -> Iterator[bytes]:
    with at_hand.waiting.expecting(job.id, parts=True) as news:
        seen = None
        while not job.status.is_terminal:
            if (now := (job.status, job.rows_done)) != seen:
                seen = now
                yield _event("progress", job)
            else:
                yield b": nothing new\n\n"
            sent = time.monotonic()
            news.wait(QUIET_SECONDS)
            time.sleep(max(0.0, sent + PACE_SECONDS - time.monotonic()))
            try:
                job = at_hand.records.get(job.id, owner)
            except RowcastError:  # deleted, or Redis is away: the caller connects again, and is told
                return
    yield _event("progress", job)
    yield _event("end", job)


def _event(name: str, job: Job) -> bytes:
    return f"event: {name}\ndata: {json.dumps(public(job, now_ms()))}\n\n".encode()
