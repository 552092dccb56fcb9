"""`/jobs`: list jobs, get one or wait for its end, cancel, retry and delete it."""

import re
import time
from typing import NotRequired
from urllib.parse import urlencode

from flask import Blueprint, Response, g, jsonify, request
from typing_extensions import TypedDict

from api.input.filter_parsing import FILTER, FilterDocument, read_filter
from api.input.filter_parsing import NAMES as FILTER_NAMES
from api.input.json_rows import read_json
from api.input.option_parsing import WAIT, query_wait
from api.input.request_body import BODY_ERRORS
from api.openapi.call_types import JSON, Answer, Call, documented, query
from api.output.responses import LOOKUP_ERRORS, job_document, job_response, own_job, wait_for_end
from api.services import current_services
from api.url_prefix import prefix
from rowcast.errors import BodyShape, OptionValue, Unavailable, Unprocessable, WrongState
from rowcast.jobs.actions.bulk import ACTIONS, Action, BulkOutcome, act
from rowcast.jobs.actions.submit import is_job_id
from rowcast.jobs.job_filter import JobFilter
from rowcast.jobs.public_job import Path, PublicJob
from rowcast.logs import logger

blueprint = Blueprint("jobs", __name__, url_prefix="/jobs")

DEFAULT_JOBS = 50
MAX_JOBS = 200


class Page(TypedDict):
    """Jobs, newest first. `next` is the path of the next page, or null on the last page."""

    jobs: list[PublicJob]
    next: Path | None


class BulkRequest(TypedDict):
    """What is to be done to which jobs."""

    action: Action
    filter: FilterDocument
    #: True: the jobs are only counted.
    dry_run: NotRequired[bool]


@blueprint.get("")
@documented(
    Call(
        "jobs",
        {200: Answer("A page of jobs.", {JSON: Page})},
        (Unprocessable, Unavailable),
        (
            *FILTER,
            query(
                "limit", "Number of jobs on a page.", type="integer", minimum=1, maximum=MAX_JOBS, default=DEFAULT_JOBS
            ),
            query("cursor", "Where the page begins. The member `next` of the page before has it.", type="string"),
        ),
    )
)
def list_jobs() -> Response:
    """Lists jobs, newest first, one page at a time."""
    given = {name: request.args[name] for name in FILTER_NAMES if name in request.args}
    taken, cursor = read_filter(given), request.args.get("cursor")
    if cursor is not None and not is_job_id(cursor):
        raise OptionValue.at("cursor", "must be the cursor in `next` of the previous page")
    limit = _limit()
    jobs, more = current_services().jobs.page(limit, cursor, taken, g.scope)
    following = f"{prefix()}/jobs?{urlencode({'cursor': more, 'limit': limit, **given})}" if more else None
    page: Page = {"jobs": [job_document(job, prefix()) for job in jobs], "next": following}
    return jsonify(page)


@blueprint.post("/actions")
@documented(
    Call(
        "jobs",
        {200: Answer("How many jobs it was done to.", {JSON: BulkOutcome})},
        (*BODY_ERRORS, Unavailable),
        bodies={JSON: BulkRequest},
        examples={JSON: {"action": "delete", "filter": {"status": "failed", "tag": "run:nightly"}, "dry_run": True}},
    )
)
def act_on_jobs() -> Response:
    """Cancels, retries or deletes all jobs that a filter takes, or only counts them."""
    action, taken, dry_run = _bulk_request()
    outcome = act(current_services().jobs, action, taken, g.scope, dry_run=dry_run)
    logger("gateway").info("jobs_acted_on", **outcome)
    return jsonify(outcome)


@blueprint.get("/<job:id>")
@documented(Call("jobs", {200: Answer("The job.", {JSON: PublicJob})}, (*LOOKUP_ERRORS, Unprocessable), (WAIT,)))
def get_job(id: str) -> Response:
    """Returns one job. With `?wait=` it responds when the job has ended, or when the time is up."""
    wait = query_wait() or 0
    job = own_job(id)
    if wait and not job.status.is_terminal:
        services = current_services()
        with services.notifications.expect(id) as waiter:
            job = wait_for_end(services, id, waiter, time.monotonic() + wait)
    return job_response(job)


@blueprint.post("/<id>/cancel")
@documented(Call("jobs", {202: Answer("The job.", {JSON: PublicJob})}, (*LOOKUP_ERRORS, WrongState)))
def cancel_job(id: str) -> Response:
    """Cancels a job that has not ended: running chunks are dropped, and no other chunk starts."""
    job = current_services().jobs.cancel(id, g.scope)
    logger("gateway").info("job_cancelled", job=id)
    return job_response(job, 202)


@blueprint.post("/<id>/retry")
@documented(Call("jobs", {202: Answer("The job.", {JSON: PublicJob})}, (*LOOKUP_ERRORS, WrongState)))
def retry_job(id: str) -> Response:
    """Resumes a failed or cancelled batch with the chunks that are not done."""
    job = current_services().jobs.retry(id, g.scope)
    logger("gateway").info("job_retried", job=id)
    return job_response(job, 202)


@blueprint.delete("/<job:id>")
@documented(Call("jobs", {204: Answer("The job was deleted.")}, LOOKUP_ERRORS))
def delete_job(id: str) -> Response:
    """Deletes the job and all its files. Its calls return 410 from then on."""
    files = current_services().jobs.delete(id, g.scope)
    logger("gateway").info("job_deleted", job=id, files=files)
    return Response(status=204)


def _bulk_request() -> tuple[Action, JobFilter, bool]:
    match read_json(current_services().settings):
        case {"action": str(action), "filter": dict(taken), **rest} if action in ACTIONS and rest.keys() <= {"dry_run"}:
            dry_run = rest.get("dry_run", False)
            if not isinstance(dry_run, bool):
                raise OptionValue.at("dry_run", "must be true or false")
            return action, read_filter(taken), dry_run
    raise BodyShape.at(
        "body", 'must be for example {"action": "cancel", "filter": {"status": "queued"}, "dry_run": true}'
    )


def _limit() -> int:
    text = request.args.get("limit", str(DEFAULT_JOBS))
    if not re.fullmatch(r"[0-9]{1,3}", text) or not 1 <= int(text) <= MAX_JOBS:
        raise OptionValue.at("limit", f"must be a whole number from 1 to {MAX_JOBS}")
    return int(text)
