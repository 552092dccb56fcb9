"""The pages about jobs: the list, and one job with its progress, picture, first rows and files."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, g, request

from api.calls.jobs import DEFAULT_JOBS
from api.calls.repair import read_corrections
from api.input.filter_parsing import NAMES, read_filter
from api.output.responses import job_document, own_job
from api.services import current_services
from api.url_prefix import prefix
from api.web.chunk_strip import MOST_COLUMNS, strip
from api.web.drift_plot import drift_plots
from api.web.first_rows import bad_rows, first_rows
from api.web.home import to
from api.web.model_pages import profile_of
from api.web.pages import page, problem_of
from api.web.plot import plots
from rowcast.errors import OptionValue, Refused, RowcastError, WrongState
from rowcast.jobs.actions.bulk import ACTIONS, act
from rowcast.jobs.actions.submit import is_job_id
from rowcast.jobs.job import Job
from rowcast.jobs.progress.job_chunks import read_chunks, read_groups
from rowcast.jobs.progress.job_log import read_log
from rowcast.jobs.records.policy import LOG_KEPT
from rowcast.jobs.repair.bad_rows import ROW_COLUMN
from rowcast.jobs.repair.corrections import Correction, CorrectionReader
from rowcast.jobs.states import Status

blueprint = Blueprint("job_pages", __name__, url_prefix="/ui/jobs")

_CHUNKS_SHOWN = 25
"""Chunks in the table of a job's page. The others are on further pages of that table."""

_RELOAD_SECONDS = (2, 30)
"""Without JavaScript: how often the page of a running job is loaded again, first and at last."""

_WAS = "was:"
"""In front of the name of a field: another field, with the cell as it was when the page was shown."""

_LEAST_PAUSE_MS = 1000
"""Shortest time after which a page fetches the chunks again. It grows with their number, as does the cost."""


@blueprint.get("")
def list_page() -> Response:
    """Returns the page with the list of jobs, newest first."""
    given = {name: request.args[name] for name in NAMES if request.args.get(name)}
    cursor, action = request.args.get("cursor"), request.args.get("action", "")
    actions: dict[str, Any] = {"actions": ACTIONS, "action": action}
    try:
        taken = read_filter(given)
    except RowcastError as error:
        return _refused_filter(given, action, error)
    jobs, more = current_services().jobs.page(DEFAULT_JOBS, cursor if is_job_id(cursor or "") else None, taken, g.scope)
    kept = {**given, "action": action} if action else given
    older = urlencode({**kept, "cursor": more}) if more else ""
    links: dict[str, Any] = {"older": older, "newer": urlencode(kept), "is_first": not cursor}
    return page("jobs.html", jobs=jobs, given=given, **links, **actions)


def _refused_filter(given: Mapping[str, str], action: str, error: RowcastError) -> Response:
    return page("jobs.html", 422, jobs=[], given=given, action=action, actions=ACTIONS, problem=problem_of(error))


@blueprint.get("/actions")
def list_page_again() -> Response:
    """Leads to the list of jobs, as `job_page_again` leads to a job's page."""
    return to("/ui/jobs")


@blueprint.post("/actions")
def act_from_page() -> Response:
    """Counts the jobs that a filter takes, or acts on them: first the one, then the other, in the same form."""
    given = {name: request.form[name] for name in NAMES if request.form.get(name)}
    action = request.form.get("action", "")
    if action not in ACTIONS:
        raise OptionValue.at("action", f"must be one of {', '.join(ACTIONS)}")
    is_count = request.form.get("confirmed") != "true"
    counted = request.form.get("counted", type=int)
    jobs = current_services().jobs
    try:
        taken = read_filter(given)
    except RowcastError as error:
        return _refused_filter(given, action, error)
    if not is_count and counted is not None:
        outcome = act(jobs, action, taken, g.scope, dry_run=True)
        if outcome["matched"] > counted:  # others have got this status
            return page("actions.html", given=given, outcome=outcome, counted=outcome["matched"], before=counted)
    outcome = act(jobs, action, taken, g.scope, dry_run=is_count)
    given["until"] = outcome["until"]  # later jobs are not counted, so they are not agreed to
    left = outcome["matched"] if counted is None or is_count else counted - outcome["acted"]
    return page("actions.html", given=given, outcome=outcome, counted=left)


@blueprint.get("/<id>")
def job_page(id: str) -> Response:
    """Returns the page about one job."""
    return _job_page(own_job(id))


@blueprint.get("/<id>/progress")
def progress_part(id: str) -> Response:
    """Returns the parts of the job's page that change while it runs: its chunks and its log."""
    return page("job_progress.html", **_progress(own_job(id)))


@blueprint.get("/<id>/cancel")
@blueprint.get("/<id>/retry")
@blueprint.get("/<id>/repair")
@blueprint.get("/<id>/delete")
def job_page_again(id: str) -> Response:
    """Leads to the job's page: a phone that closed a tab meanwhile asks for the address of the answer to a form."""
    return to(f"/ui/jobs/{id}")


@blueprint.post("/<id>/cancel")
def cancel_from_page(id: str) -> Response:
    """Cancels the job, and leads back to its page."""
    return _done_to(id, current_services().jobs.cancel)


@blueprint.post("/<id>/retry")
def retry_from_page(id: str) -> Response:
    """Resumes the job, and leads back to its page."""
    return _done_to(id, current_services().jobs.retry)


@blueprint.post("/<id>/repair")
def repair_from_page(id: str) -> Response:
    """Takes corrected cells, or a file of corrected rows, and leads back to the job's page."""
    read = read_corrections if request.mimetype == "multipart/form-data" else _typed_cells
    try:
        current_services().jobs.repair(id, read, g.scope)
    except (Refused, WrongState) as error:
        refused = problem_of(error)
        typed = request.form if read is _typed_cells else {}
        return _job_page(own_job(id), refused["status"], problem=refused, typed=typed)
    return to(f"/ui/jobs/{id}")


@blueprint.post("/<id>/delete")
def delete_from_page(id: str) -> Response:
    """Deletes the job and its files, and leads to the list of jobs. Without a script, it asks first."""
    if request.form.get("confirmed") != "true":
        return page("delete.html", job=own_job(id))
    current_services().jobs.delete(id, g.scope)
    return to("/ui/jobs")


def _done_to(id: str, act_on: Callable[[str, str | None], Job]) -> Response:
    """Acts on the job, and leads back to its page. If its state does not allow it any more, the page says so."""
    try:
        act_on(id, g.scope)
    except WrongState as error:
        refused = problem_of(error)
        return _job_page(own_job(id), refused["status"], problem=refused)
    return to(f"/ui/jobs/{id}")


def _typed_cells(reader: CorrectionReader) -> Mapping[int, Correction]:
    """Reads the cells of a form that were changed. Its fields are called `ROW/COLUMN`.

    The others may have been corrected elsewhere since the page was shown.
    """
    rows: dict[str, dict[str, str]] = {}
    for row, column, text in _changed(request.form):
        rows.setdefault(row, {ROW_COLUMN: row})[column] = text
    return reader.objects(list(rows.values()))


def _changed(fields: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Returns row, column and text of each cell of a form that was changed."""
    changed = []
    for name, text in fields.items():
        if not name.startswith(_WAS) and fields.get(_WAS + name) != text:
            row, _, column = name.partition("/")
            changed.append((row, column, text))
    return changed


def _job_page(
    job: Job, status: int = 200, problem: Mapping[str, Any] | None = None, typed: Mapping[str, str] | None = None
) -> Response:
    services = current_services()
    document = job_document(job, prefix())
    shown: dict[str, Any] = {"job": job, "document": document, "plots": plots(job.summary), "problem": problem}
    if job.drift is not None:
        shown["drift_plots"] = drift_plots(job.drift, profile_of(job.drift.model))
    shown["reload_seconds"] = reload_seconds(time.time() - job.created_ms / 1000)
    shown |= {"typed": typed or {}, "was": _WAS}
    shown["has_receipts"] = services.receipts.keys is not None
    if not job.is_single and job.status is not Status.EXPIRED:
        try:
            shown |= {"first": first_rows(services, job), "bad": bad_rows(services, job)}
        except RowcastError as error:  # the rest of the page is worth showing
            shown["files_problem"] = error.detail
    is_whole = job.status.is_terminal and job.chunks_done == job.chunks_total
    shown["can_correct"] = is_whole and job.spec.requests is None
    fields = {cell.field for cell in shown.get("bad", ()) if shown["can_correct"] and cell.can_be_typed}
    shown["unsent"] = [cell for cell in _changed(typed or {}) if f"{cell[0]}/{cell[1]}" not in fields]
    return page("job.html", status, **{**shown, **_progress(job)})


def reload_seconds(age_seconds: float) -> int:
    """Returns after how long a browser without JavaScript loads the page of a running job again.

    Soon at first, and later with time to read the page and to reach its buttons with the Tab key.
    """
    shortest, longest = _RELOAD_SECONDS
    return min(longest, max(shortest, int(age_seconds / 5)))


def _progress(job: Job) -> dict[str, Any]:
    """Returns the job's chunks, and what happened to it, as the templates take them."""
    redis, given = current_services().redis, request.args.get("chunks", "")
    first = int(given) if re.fullmatch(r"[0-9]{1,9}", given) and int(given) < job.chunks_total else 0
    shown: dict[str, Any] = {"job": job, "log": read_log(redis, job), "log_kept": LOG_KEPT, "strip": None}
    if not job.is_single and (columns := strip(read_groups(redis, job, MOST_COLUMNS))):
        shown |= {"strip": columns, "chunks": read_chunks(redis, job, first, _CHUNKS_SHOWN)}
        shown |= {"first_chunk": first, "chunk_rows": _CHUNKS_SHOWN, "has_chunks_open": bool(given)}
        shown["pause_ms"] = max(_LEAST_PAUSE_MS, job.chunks_total // 2)
        shown["live"] = f"{prefix()}/ui/jobs/{job.id}/progress?chunks={first}"
    return shown
