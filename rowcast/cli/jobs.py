"""The commands for jobs: predict, submit, status, result, errors, cancel, retry, jobs."""

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.connection import ApiKey, JobId, Json, Url, client
from rowcast.cli.csv_options import takes_csv_options
from rowcast.cli.output import say, show_json, show_table
from rowcast.cli.progress import progress

if TYPE_CHECKING:
    from rowcast.client import Job
    from rowcast.client.client import CsvOptions


Input = Annotated[str, typer.Argument(metavar="IN.csv", help="The file to score (.gz too), or - for standard input.")]
Out = Annotated[
    str, typer.Option("--out", "-o", metavar="OUT.csv", help="Where the result goes; - is standard output.")
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (predict, submit, status, result, errors, cancel, retry):
        app.command()(command)
    app.command("jobs")(list_jobs)


@takes_csv_options
def predict(
    source: Input,
    *,
    out: Out = "-",
    options: "CsvOptions",
    url: Url = None,
    api_key: ApiKey = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="Write the job as JSON; to standard error where the result itself goes to standard output."
        ),
    ] = False,
) -> None:
    """Score a CSV file: send it, wait, and write the result."""
    from rowcast.client.download import opened

    job: Job | None = None
    try:
        with ExitStack() as stack:
            service = stack.enter_context(client(url, api_key))
            sink = stack.enter_context(opened(out))
            shown = stack.enter_context(progress(out))
            job = service.submit_csv(source, on_progress=shown.uploaded, **options)
            job.wait(on_progress=shown.predicted)
            job.download_to(sink, shown.downloaded)
    except KeyboardInterrupt:
        if job is not None:
            say(f"The job goes on. Fetch its result with: rowcast result {job.id} -o {_quoted(out)}")
            say(f"or end it with: rowcast cancel {job.id}")
        raise
    _say_done(job, out, as_json=json)


@takes_csv_options
def submit(
    source: Input,
    *,
    options: "CsvOptions",
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Send a CSV file and print the job's id."""
    with client(url, api_key) as service, progress() as shown:
        job = service.submit_csv(source, on_progress=shown.uploaded, **options)
    show_json(job.raw) if json else print(job.id)


def status(
    job_id: JobId,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until the job has ended.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Show a job; with --wait, the exit code tells whether it succeeded."""
    with client(url, api_key) as service:
        job = service.job(job_id)
        if wait and not job.has_ended:
            with progress() as shown:
                job.wait(on_progress=shown.predicted)
    show_json(job.raw) if json else _show(job)
    if wait:
        job.check()


def result(
    job_id: JobId,
    out: Out = "-",
    url: Url = None,
    api_key: ApiKey = None,
) -> None:
    """Fetch a job's result, waiting for it where need be."""
    from rowcast.client.download import opened

    with client(url, api_key) as service, opened(out) as sink, progress(out) as shown:
        job = service.job(job_id)
        if not job.has_ended:
            job.wait(on_progress=shown.predicted)
        job.download_to(sink, shown.downloaded)


def errors(job_id: JobId, out: Out = "-", url: Url = None, api_key: ApiKey = None) -> None:
    """List the rows that could not be predicted, as CSV."""
    with client(url, api_key) as service:
        service.job(job_id).download_errors(out)


def cancel(job_id: JobId, url: Url = None, api_key: ApiKey = None, json: Json = False) -> None:
    """End a job without a result."""
    with client(url, api_key) as service:
        job = service.job(job_id).cancel()
    show_json(job.raw) if json else say(f"{job.id} is {job.status}.")


def retry(job_id: JobId, url: Url = None, api_key: ApiKey = None, json: Json = False) -> None:
    """Let a failed or cancelled job go on with what is not done."""
    with client(url, api_key) as service:
        job = service.job(job_id).retry()
    show_json(job.raw) if json else say(f"{job.id} is {job.status}.")


def list_jobs(
    status: Annotated[str | None, typer.Option("--status", help="Only those: queued, running, succeeded ...")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    with client(url, api_key) as service:
        found = list(service.jobs(status, limit))
    if json:
        show_json([job.raw for job in found])
        return
    show_table(["job", "status", "model", "rows", "bad", "created"], map(_row, found))


def _row(job: "Job") -> list[object]:
    rows = job.progress
    return [
        job.id,
        job.status,
        _model_of(job),
        rows.get("rows_total"),
        rows.get("rows_failed"),
        job.raw.get("created_at"),
    ]


def _show(job: "Job") -> None:
    rows = job.progress
    lines = {
        "job": job.id,
        "status": job.status,
        "model": _model_of(job),
        "rows": f"{rows.get('rows_done') or 0} of {rows.get('rows_total')}",
        "bad rows": rows.get("rows_failed") or 0,
        "created": job.raw.get("created_at"),
        "finished": job.raw.get("finished_at"),
        "error": (job.raw.get("error") or {}).get("detail"),
    }
    for name, value in lines.items():
        if value is not None:
            print(f"{name + ':':<10} {value}")


def _model_of(job: "Job") -> str:
    model = job.raw.get("model") or {}
    return f"{model.get('name')}@{model.get('version')}"


def _say_done(job: "Job", out: str, *, as_json: bool) -> None:
    if as_json:
        show_json(job.raw, sys.stderr if out == "-" else sys.stdout)
        return
    rows = job.progress
    bad = rows.get("rows_failed") or 0
    said = f"{rows.get('rows_total'):,} rows scored by {_model_of(job)}" + ("" if out == "-" else f" into {out}")
    say(said + (f"; {bad:,} of them could not be predicted: rowcast errors {job.id}" if bad else "") + ".")


def _quoted(out: str) -> str:
    return shlex.quote(out if out == "-" else str(Path(out)))
