"""The commands that show the service at work: watch and open."""

import sys
import time
import webbrowser
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.connection_options import ApiKey, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import model_of, say
from rowcast.cli.progress import progress

if TYPE_CHECKING:
    from rowcast.client import Client, Job

_LISTED = 15
_PAUSE_SECONDS = 1.0
_ID_CHARACTERS = 36
"""An id is never shortened, so that it can be copied."""

_COLUMNS = ("status", "model", "rows", "a second", "left")


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(watch)
    app.command("open")(open_page)


def watch(
    job_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB]", help="Job id, or its first characters. Without it, all jobs.", show_default=False
        ),
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Follow a job until it has ended, or all jobs until Ctrl-C.

    The exit code is 1 if the job failed or was cancelled.

    Examples:
        rowcast watch
        rowcast watch 01a2054e
    """
    with client(url, api_key, data) as service:
        if job_id is None:
            _watch_all(service)
            return
        job = service.job(job_id)
        with progress() as shown:
            shown.predicted(job)
            if not job.has_ended:
                job.wait(on_progress=shown.predicted)
        job.check()


def open_page(url: Url = None, api_key: ApiKey = None, data: Data = None) -> None:
    """Open the web page of the service in a browser.

    Examples:
        rowcast open
        rowcast open --url https://rowcast.example.org
    """
    with client(url, api_key, data) as service:
        service.models()  # says that the service cannot be reached, or that the key is wrong
        address = f"{service.url}/"
    if not webbrowser.open(address):
        say("No browser was found. Open this address yourself:")
    print(address)


def _watch_all(service: "Client") -> None:
    """Shows the newest jobs again and again on a terminal; elsewhere prints a line for each change."""
    if sys.stdout.isatty():
        _draw(service)
    seen: dict[str, str] = {}
    while True:
        for job in reversed(list(service.jobs(limit=_LISTED))):
            line = "\t".join((job.id, job.status, model_of(job), _rows(job)))
            if seen.get(job.id) != line:
                seen[job.id] = line
                print(line, flush=True)
        time.sleep(_PAUSE_SECONDS)


def _draw(service: "Client") -> None:
    from rich.live import Live
    from rich.table import Column, Table
    from rich.text import Text

    def table() -> Table:
        shown = Table(
            Column("job", min_width=_ID_CHARACTERS), *_COLUMNS, box=None, pad_edge=False, collapse_padding=True
        )
        for job in service.jobs(limit=_LISTED):
            rows = job.progress
            rate, left = rows.get("rows_per_second"), rows.get("eta_seconds")
            cells = (
                job.id,
                job.status,
                model_of(job),
                _rows(job),
                f"{rate:,.0f}" if rate else "",
                f"{left:g} s" if left else "",
            )
            shown.add_row(*map(Text, cells))
        return shown

    with Live(table(), auto_refresh=False) as live:
        while True:
            time.sleep(_PAUSE_SECONDS)
            live.update(table(), refresh=True)


def _rows(job: "Job") -> str:
    rows = job.progress
    return f"{rows.get('rows_done') or 0:,} of {rows.get('rows_total') or 0:,}"
