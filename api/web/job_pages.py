"""The pages about jobs: the list, and one job with its progress, picture, first rows and files."""

from typing import Any

from flask import Blueprint, Response, g, request

from api.calls.jobs import DEFAULT_JOBS
from api.output.responses import job_document, own_job
from api.services import current_services
from api.url_prefix import prefix
from api.web.first_rows import bad_rows, first_rows
from api.web.home import to
from api.web.pages import page, refuse_other_sites
from api.web.plot import plots
from rowcast.errors import RowcastError
from rowcast.jobs.actions.submit import is_job_id
from rowcast.jobs.job import Job
from rowcast.jobs.states import Status

blueprint = Blueprint("job_pages", __name__, url_prefix="/ui/jobs")


@blueprint.get("")
def list_page() -> Response:
    """Returns the page with the list of jobs, newest first."""
    chosen, cursor = request.args.get("status", ""), request.args.get("cursor")
    status = Status(chosen) if chosen in {one.value for one in Status.public()} else None
    cursor = cursor if cursor and is_job_id(cursor) else None
    jobs, more = current_services().jobs.page(DEFAULT_JOBS, cursor, status, g.scope)
    return page("jobs.html", jobs=jobs, chosen=status or "", more=more, is_first=cursor is None)


@blueprint.get("/<id>")
def job_page(id: str) -> Response:
    """Returns the page about one job."""
    return _job_page(own_job(id))


@blueprint.post("/<id>/cancel")
def cancel_from_page(id: str) -> Response:
    """Cancels the job, and leads back to its page."""
    refuse_other_sites()
    current_services().jobs.cancel(id, g.scope)
    return to(f"/ui/jobs/{id}")


@blueprint.post("/<id>/retry")
def retry_from_page(id: str) -> Response:
    """Resumes the job, and leads back to its page."""
    refuse_other_sites()
    current_services().jobs.retry(id, g.scope)
    return to(f"/ui/jobs/{id}")


@blueprint.post("/<id>/delete")
def delete_from_page(id: str) -> Response:
    """Deletes the job and its files, and leads to the list of jobs."""
    refuse_other_sites()
    current_services().jobs.delete(id, g.scope)
    return to("/ui/jobs")


def _job_page(job: Job) -> Response:
    services = current_services()
    shown: dict[str, Any] = {"job": job, "document": job_document(job, prefix()), "plots": plots(job.summary)}
    if not job.is_single and job.status is not Status.EXPIRED:
        try:
            shown |= {"first": first_rows(services, job), "bad": bad_rows(services, job)}
        except RowcastError as error:  # the rest of the page is worth showing
            shown["files_problem"] = error.detail
    return page("job.html", **shown)
