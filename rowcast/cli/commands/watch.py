"""The commands that show the service at work: watch and open."""

import select
import sys
import time
import webbrowser
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from rowcast.cli.connection_options import ApiKey, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import model_of, say
from rowcast.cli.progress import progress

if TYPE_CHECKING:
    from rowcast.client import Client, Job

_LISTED = 15
_PAUSE_SECONDS = 1.0
_UNLIMITED = 10_000
"""A width in characters that no table has."""

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
        _pause(sys.stdout)


def _pause(output: TextIO) -> None:
    """Waits until the jobs are asked for again. Raises BrokenPipeError as soon as the reader of the output is gone."""
    if not hasattr(select, "poll"):  # Windows
        time.sleep(_PAUSE_SECONDS)
        return
    poll = select.poll()
    poll.register(output, 0)  # errors only: a pipe has one if nothing reads it
    if poll.poll(_PAUSE_SECONDS * 1000):
        raise BrokenPipeError


def _draw(service: "Client") -> None:
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    console = Console()

    def shown() -> Table | Group:
        jobs = [(job.id, *_cells(job)) for job in service.jobs(limit=_LISTED)]
        table = Table("job", *_COLUMNS, box=None, pad_edge=False, collapse_padding=True)
        for cells in jobs:
            table.add_row(*map(Text, cells))
        if console.measure(table, options=console.options.update(width=_UNLIMITED)).maximum <= console.width:
            return table
        # Too narrow for a table: an id is never shortened, so that it can be copied.
        lines = (f"{id}\n  {', '.join(filter(None, cells[:3]))}" for id, *cells in jobs)
        return Group(*(Text(line, overflow="fold") for line in lines))

    with Live(shown(), console=console, auto_refresh=False) as live:
        while True:
            _pause(sys.stdout)
            live.update(shown(), refresh=True)


def _cells(job: "Job") -> tuple[str, ...]:
    rate, left = job.progress.get("rows_per_second"), job.progress.get("eta_seconds")
    speed = f"{rate:,.0f}" if rate else ""
    return job.status, model_of(job), _rows(job), speed, f"{left:g} s" if left else ""


def _rows(job: "Job") -> str:
    rows = job.progress
    return f"{rows.get('rows_done') or 0:,} of {rows.get('rows_total') or 0:,}"
