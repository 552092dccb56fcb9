"""The commands for jobs: status, result, errors, cancel, retry, delete and jobs."""

from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.connection_options import ApiKey, JobId, Json, Out, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import model_of, print_json, print_table, say, short_time
from rowcast.cli.output_files import Force, require_free
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
    """Show a job. With --wait, the exit code is 1 if it failed or was cancelled."""
    with client(url, api_key, data) as service:
        job = service.job(job_id)
        if wait and not job.has_ended:
            with progress() as shown:
                job.wait(on_progress=shown.predicted)
    if json:
        print_json(job.raw)
    else:
        _show(job)
    if wait:
        job.check()


def result(
    job_id: JobId,
    *,
    out: Out = "-",
    force: Force = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Download a job's result. Waits until the job has ended."""
    from rowcast.client.download import open_sink

    require_free(out, force=force)
    with client(url, api_key, data) as service, open_sink(out) as sink, progress(out) as shown:
        job = service.job(job_id)
        if not job.has_ended:
            job.wait(on_progress=shown.predicted)
        job.download_to(sink, shown.downloaded)


def errors(
    job_id: JobId,
    *,
    out: Out = "-",
    force: Force = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Download the list of the rows that could not be predicted, as CSV."""
    require_free(out, force=force)
    with client(url, api_key, data) as service:
        service.job(job_id).download_errors(out)


def cancel(job_id: JobId, url: Url = None, api_key: ApiKey = None, data: Data = None, json: Json = False) -> None:
    """Cancel a job."""
    with client(url, api_key, data) as service:
        job = service.job(job_id).cancel()
    _show_status(job, as_json=json)


def retry(job_id: JobId, url: Url = None, api_key: ApiKey = None, data: Data = None, json: Json = False) -> None:
    """Resume a failed or cancelled job."""
    with client(url, api_key, data) as service:
        job = service.job(job_id).retry()
    _show_status(job, as_json=json)


def delete(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB...", help="Job ids, or their first characters.")],
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Delete jobs and their files. Running jobs are cancelled first."""
    with client(url, api_key, data) as service:
        for job in [service.job(id) for id in job_ids]:  # an unknown id stops the command before anything is deleted
            job.delete()
            say(f"Job {job.id} is deleted.")


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
        print_json([job.raw for job in found])
        return
    print_table(["job", "status", "model", "rows", "rows failed", "created"], map(_row, found))


def _row(job: "Job") -> list[object]:
    rows = job.progress
    return [
        job.id,
        job.status,
        model_of(job),
        rows.get("rows_total"),
        rows.get("rows_failed"),
        short_time(job.raw.get("created_at")),
    ]


def _show(job: "Job") -> None:
    rows = job.progress
    lines = {
        "job": job.id,
        "status": job.status,
        "model": model_of(job),
        "rows": _rows_done(rows.get("rows_done") or 0, rows.get("rows_total")),
        "rows failed": f"{rows.get('rows_failed') or 0:,}",
        "created": job.raw.get("created_at"),
        "finished": job.raw.get("finished_at"),
        "error": (job.raw.get("error") or {}).get("detail"),
    }
    for name, value in lines.items():
        if value is not None:
            print(f"{name + ':':<12} {value}")


def _rows_done(done: int, total: int | None) -> str:
    return f"{done:,}" if total is None else f"{done:,} of {total:,}"


def _show_status(job: "Job", *, as_json: bool) -> None:
    if as_json:
        print_json(job.raw)
    else:
        say(f"Job {job.id} is {job.status}.")
