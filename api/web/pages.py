"""What all pages share: how they are rendered, and how errors look on them."""

import hashlib
import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, render_template, request

from api.error_responses import problem
from api.output.early_response import close_after
from api.output.gzip_encoding import gzip_bytes, set_body
from api.url_prefix import prefix
from api.web.option_form import option_faults
from api.web.paths import is_page
from rowcast.errors import RowcastError
from rowcast.jobs.job import Job
from rowcast.jobs.states import Status
from rowcast.wording.quantity import counted

HTML = "text/html"

STATIC = Path(__file__).parent / "static"
"""The folder of the files that pages load."""

_KIBI = 1024

_LEVEL = 6
"""zlib's usual level: a page takes about a millisecond."""

_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")


def register(app: Flask) -> None:
    """Registers the filters of the templates."""
    app.jinja_env.filters |= {
        "moment": moment,
        "utc": utc,
        "name": name,
        "size": size,
        "duration": duration,
        "counted": counted,
        "option_faults": option_faults,
    }
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
    response = Response(status=status, content_type=f"{HTML}; charset=utf-8")
    response.headers["Cache-Control"] = "no-store"
    set_body(response, html(template, **values).encode(), lambda body: gzip_bytes(body, _LEVEL))
    return response


def html(template: str, **values: Any) -> str:
    """Returns a page as text. `values` are the template's variables."""
    shown = {"prefix": prefix(), "static": f"{prefix()}/static/{static_version()}", "statuses": list(Status.public())}
    return render_template(f"web/{template}", **shown, **values)


@cache
def static_version() -> str:
    """Returns a name of the version of all static files together, which is a part of their addresses."""
    contents = [file.read_bytes() for file in sorted(STATIC.iterdir())]
    return hashlib.sha256(b"".join(contents)).hexdigest()[:12]


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


def utc(text: str) -> str:
    """Returns a time of RFC 3339 as `2026-01-31 09:30:00 UTC`, and any other text as it is."""
    try:
        return f"{datetime.fromisoformat(text).astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    except ValueError:
        return text


def size(length_bytes: int | None) -> str:
    """Returns a number of bytes for people, for example `12.5 MiB`; empty if it is not known."""
    if length_bytes is None:
        return ""
    amount, unit = float(length_bytes), "B"
    for larger in ("KiB", "MiB", "GiB"):
        if amount < _KIBI:
            break
        amount, unit = amount / _KIBI, larger
    return f"{amount:,.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"


def duration(seconds: float | None) -> str:
    """Returns a time for people, for example `3 min 20 s` or `2 d 4 h`; empty if it is not known."""
    if seconds is None:
        return ""
    whole = int(seconds)
    units = [("d", whole // 86_400), ("h", whole // 3_600 % 24), ("min", whole // 60 % 60), ("s", whole % 60)]
    first = next((place for place, (_, amount) in enumerate(units) if amount), len(units) - 1)
    return " ".join(f"{amount} {unit}" for unit, amount in units[first : first + 2])
