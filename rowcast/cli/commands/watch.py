"""The commands that show the service at work: watch, logs and open."""

import select
import sys
import time
import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from rowcast.cli.connection_options import ApiKey, JobId, Url, client
from rowcast.cli.data_location import Data, find_data_location
from rowcast.cli.output import json_line, model_of, say
from rowcast.cli.progress import progress
from rowcast.local.running_services import running_instances
from rowcast.loopback import is_same_address

if TYPE_CHECKING:
    from rowcast.client import Client, Job
    from rowcast.log_lines.kept_lines import KeptLog

_LISTED = 15
_PAUSE_SECONDS = 1.0
_UNLIMITED = 10_000
"""A width in characters that no table has."""

_COLUMNS = ("status", "model", "rows", "a second", "left")


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(watch)
    app.command()(logs)
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


def logs(
    job_id: JobId,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with new lines until the job has ended.")
    ] = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Annotated[bool, typer.Option("--json", help="Print each line as a JSON object.")] = False,
) -> None:
    """Show what happened to a job, in order of time.

    If the service runs on this machine (`rowcast up`), the log lines of its programs are shown as well.

    Examples:
        rowcast logs 01a2054e
        rowcast logs 01a2054e --follow
    """
    from rowcast.log_lines.job_lines import JobLines

    with client(url, api_key, data) as service:
        job = service.job(job_id)
        lines = JobLines(job.id, _kept_log(service.url, data))
        _print_lines(lines.new(job.log()), as_json=json)
        while follow and not job.has_ended:
            _pause(sys.stdout)
            job.refresh()
            _print_lines(lines.new(job.log()), as_json=json)
        if follow:  # the programs' last lines come a moment after the end
            _pause(sys.stdout)
            _print_lines(lines.new(job.log()), as_json=json)


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


def _kept_log(url: str, data: Path | None) -> "KeptLog | None":
    """Returns the log lines that the programs of the service have kept, if it runs on this machine."""
    from rowcast.log_lines.kept_lines import KeptLog

    instances = [find_data_location(data).instance] if data else running_instances()
    here = (Path(one.logs) for one in instances if one and is_same_address(one.url, url))
    return next((KeptLog(folder) for folder in here if folder.is_dir()), None)


def _print_lines(lines: "Sequence[Mapping[str, Any]]", *, as_json: bool) -> None:
    from rowcast.log_lines.job_lines import line_text

    for line in lines:
        print(json_line(line) if as_json else line_text(line, colors=sys.stdout.isatty()), flush=True)


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
