"""The commands for jobs: status, result, errors, cancel, retry, delete, jobs."""

from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.connection_options import ApiKey, JobId, Json, Out, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import model_of, say, show_json, show_table, shown_time
from rowcast.cli.progress import progress

if TYPE_CHECKING:
    from rowcast.client import Job


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (status, result, errors, cancel, retry, delete):
        app.command()(command)
    app.command("jobs")(list_jobs)


def status(
    job_id: JobId,
    *,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait until the job has ended.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Show a job; with --wait, the exit code tells whether it succeeded."""
    with client(url, api_key, data) as service:
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
    data: Data = None,
) -> None:
    """Fetch a job's result, after waiting for it if needed."""
    from rowcast.client.download import opened

    with client(url, api_key, data) as service, opened(out) as sink, progress(out) as shown:
        job = service.job(job_id)
        if not job.has_ended:
            job.wait(on_progress=shown.predicted)
        job.download_to(sink, shown.downloaded)


def errors(job_id: JobId, out: Out = "-", url: Url = None, api_key: ApiKey = None, data: Data = None) -> None:
    """List the rows that could not be predicted, as CSV."""
    with client(url, api_key, data) as service:
        service.job(job_id).download_errors(out)


def cancel(job_id: JobId, url: Url = None, api_key: ApiKey = None, data: Data = None, json: Json = False) -> None:
    """Cancel a job."""
    with client(url, api_key, data) as service:
        job = service.job(job_id).cancel()
    show_json(job.raw) if json else say(f"{job.id} is {job.status}.")


def retry(job_id: JobId, url: Url = None, api_key: ApiKey = None, data: Data = None, json: Json = False) -> None:
    """Resume a failed or cancelled job."""
    with client(url, api_key, data) as service:
        job = service.job(job_id).retry()
    show_json(job.raw) if json else say(f"{job.id} is {job.status}.")


def delete(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB...", help="Ids of jobs, or the beginnings of them.")],
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Delete jobs with their files. Jobs that still run are cancelled."""
    with client(url, api_key, data) as service:
        for job in [service.job(id) for id in job_ids]:  # all are found before one is deleted
            job.delete()
            say(f"{job.id} is deleted.")


def list_jobs(
    *,
    status: Annotated[
        str | None,
        typer.Option("--status", help="Filter by status, for example running."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Maximum number to list.")] = 20,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List jobs, newest first."""
    with client(url, api_key, data) as service:
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
        model_of(job),
        rows.get("rows_total"),
        rows.get("rows_failed"),
        shown_time(job.raw.get("created_at")),
    ]


def _show(job: "Job") -> None:
    rows = job.progress
    lines = {
        "job": job.id,
        "status": job.status,
        "model": model_of(job),
        "rows": f"{rows.get('rows_done') or 0} of {rows.get('rows_total')}",
        "bad rows": rows.get("rows_failed") or 0,
        "created": job.raw.get("created_at"),
        "finished": job.raw.get("finished_at"),
        "error": (job.raw.get("error") or {}).get("detail"),
    }
    for name, value in lines.items():
        if value is not None:
            print(f"{name + ':':<10} {value}")
