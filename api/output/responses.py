"""Responses about jobs and single rows, and waiting for a job's end."""

import re
import time
import unicodedata
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from flask import Response, g, jsonify
from werkzeug.http import dump_options_header

from api.error_responses import problem, problem_response
from api.notifications import Waiter
from api.services import Services, current_services
from api.url_prefix import prefix
from rowcast.errors import Cancelled, Gone, NotFound, Unavailable
from rowcast.jobs.job import Job, RowResult
from rowcast.jobs.public_job import Id, PublicJob, public

LOOKUP_ERRORS = (NotFound, Gone, Unavailable)
"""The errors of looking up a job (`own_job`), for the OpenAPI entries of calls that do so."""

POLL_AFTER_SECONDS = 1

UNBUFFERED = {"X-Accel-Buffering": "no"}
"""Headers of a streamed response. Without them nginx holds it back until its buffers are full."""

_STEM_CHARACTERS = 200

RECHECK_SECONDS = 5.0
"""How often a waiting caller reads the record without a notification: messages of Redis' pub/sub may get lost."""


class Prediction(RowResult):
    """The prediction of a row that was waited for, and the id of its job."""

    job: Id


def now_ms() -> int:
    """Returns the time in milliseconds since 1970, UTC."""
    return int(time.time() * 1000)


def job_document(job: Job, url_prefix: str) -> PublicJob:
    """Returns the JSON document of a job. `url_prefix` is prepended to its paths, for example `/rowcast`."""
    return public(job, now_ms(), url_prefix, lambda recorded: problem(recorded, url_prefix))


def job_response(job: Job, status: int = 200) -> Response:
    """Returns a job as JSON. With 202 it has `Location` and `Retry-After`."""
    response = jsonify(job_document(job, prefix()))
    response.status_code = status
    if status == 202:
        response.headers["Location"] = f"{prefix()}/jobs/{job.id}"
        response.headers["Retry-After"] = str(POLL_AFTER_SECONDS)
    return response


def single_response(job: Job) -> Response:
    """Returns the prediction or the problem of a single job that has ended."""
    return row_response(job.id, dict(job.result or job.error or Cancelled("The job was cancelled.").recorded()))


def row_response(id: str, outcome: dict[str, Any]) -> Response:
    """Returns the outcome of a single job: the prediction, or the recorded problem, which has a `type`."""
    if "type" in outcome:
        return problem_response({**problem(outcome, prefix()), "job": id})
    return jsonify(outcome | {"job": id})


def own_job(id: str) -> Job:
    """Returns the job, if the caller may see it; raises as `Jobs.get`."""
    return current_services().jobs.get(id, g.scope)


def wait_for_end(services: Services, id: str, waiter: Waiter, until: float) -> Job:
    """Returns the job when it has ended, or when `time.monotonic()` reaches `until`.

    `waiter` comes from `Notifications.expect`.
    """
    job = services.records.get(id)
    while not job.status.is_terminal and (left := until - time.monotonic()) > 0:
        waiter.wait(min(left, RECHECK_SECONDS))
        job = services.records.get(id)
    return job


def stem(job: Job) -> str:
    """Returns the stem of the input's name, for the names of files that are made from it."""
    return stem_of(job.id, job.spec.input.filename if job.spec.input else None)


def stem_of(id: str, filename: str | None) -> str:
    """Returns the input's name without folders, extension and unprintable characters. If it is empty, returns `id`."""
    name = PurePath((filename or "").replace("\\", "/")).name
    name = re.sub(r"(\.[^.]*)?(\.gz)?$", "", name, count=1, flags=re.IGNORECASE)
    return "".join(filter(str.isprintable, name))[:_STEM_CHARACTERS].strip(". ") or id


def attachment(name: str) -> str:
    """Returns the value of Content-Disposition (RFC 6266 §4.3). A name beyond ASCII also has an ASCII version.

    Chromium decodes `%25` in a plain name, too. So a name with `%` is also sent in the form that is decoded by rule.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    names = {"filename": plain}
    if plain != name or "%" in name:
        names["filename*"] = f"UTF-8''{quote(name, safe='')}"
    return dump_options_header("attachment", names)
