"""What all pages share: how they are rendered, and how errors look on them."""

import json
from datetime import UTC, datetime
from typing import Any

from flask import Flask, Response, g, render_template, request

from api.error_responses import problem
from api.output.early_response import close_after
from api.url_prefix import prefix
from api.web.paths import is_page
from rowcast.errors import RowcastError
from rowcast.jobs.job import Job
from rowcast.jobs.states import Status

HTML = "text/html"

_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


def register(app: Flask) -> None:
    """Registers the filters of the templates."""
    app.jinja_env.filters |= {"moment": moment, "name": name}
    app.jinja_env.filters["dictvalues"] = lambda row: list(row.values())
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.after_request(_problem_as_page)


def _problem_as_page(response: Response) -> Response:
    """Makes a page of the problem document, if the request was for a page."""
    if response.mimetype != "application/problem+json" or not is_page(request.path):
        return response
    shown = page("error.html", response.status_code, problem=json.loads(response.get_data()))
    shown.headers.extend({name: value for name, value in response.headers.items() if name in _KEPT_HEADERS})
    close_after(shown)
    return shown


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Returns a page. `values` are the template's variables."""
    body = render_template(f"web/{template}", prefix=prefix(), statuses=list(Status.public()), **values)
    response = Response(body, status, content_type=f"{HTML}; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    return response


def problem_of(error: RowcastError) -> dict[str, Any]:
    """Returns the problem document of an error, for the template `problem.html`."""
    return {**problem(error.recorded(), prefix()), "request_id": g.get("request_id", "")}


def name(job: Job) -> str:
    """Returns what a job is called: its file's name, or its id if the name has nothing to see."""
    filename = (job.spec.input.filename or "") if job.spec.input else ""
    return "".join(filter(str.isprintable, filename)).strip() or job.id


def moment(ms: int | None) -> str:
    """Returns a time as `2026-01-31 09:30:00`, UTC; empty if there is none."""
    return "" if ms is None else f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M:%S}"
