"""The commands for jobs: status, result, cancel, retry, delete and jobs."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from rowcast.cli.connection_options import ApiKey, JobId, Json, Out, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import model_of, print_json, print_table, say, short_time
from rowcast.cli.output_files import Force, Format, require_free, result_format
from rowcast.cli.progress import progress
from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.client import Client, Job
    from rowcast.client.job_filter import JobFilter


_LISTED = 20


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (status, result, cancel, retry, delete):
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
    """Show a job. With --wait, the exit code is 1 if it failed or was cancelled.

    Examples:
        rowcast status 01a2054e --wait
    """
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
    format: Format = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Of a job that failed or was cancelled: the rows that are done.")
    ] = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Download a job's result. Waits until the job has ended.

    Examples:
        rowcast result 01a2054e -o out.csv
        rowcast result 01a2054e -o out.parquet
        rowcast result 01a2054e --partial -o done.csv
    """
    from rowcast.client.download import open_sink

    form = result_format(out, format)
    require_free(out, force=force)
    with client(url, api_key, data) as service, open_sink(out, replace=force) as sink, progress(out) as shown:
        job = service.job(job_id)
        if not job.has_ended and not partial:
            job.wait(on_progress=shown.predicted)
        job.download_to(sink, shown.downloaded, format=form, partial=partial)


def cancel(job_id: JobId, url: Url = None, api_key: ApiKey = None, data: Data = None, json: Json = False) -> None:
    """Cancel a job.

    Examples:
        rowcast cancel 01a2054e
        rowcast jobs --status queued --do cancel
    """
    with client(url, api_key, data) as service:
        job = service.job(job_id).cancel()
    _show_status(job, as_json=json)


def retry(job_id: JobId, url: Url = None, api_key: ApiKey = None, data: Data = None, json: Json = False) -> None:
    """Resume a failed or cancelled job.

    Examples:
        rowcast retry 01a2054e
        rowcast jobs --status failed --do retry
    """
    with client(url, api_key, data) as service:
        job = service.job(job_id).retry()
    _show_status(job, as_json=json)


def delete(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB...", help="Job ids, or their first characters.")],
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Delete jobs and their files. Running jobs are cancelled first.

    Examples:
        rowcast delete 01a2054e 01a20561
        rowcast jobs --tag run:nightly --until 2026-01-31 --do delete
    """
    with client(url, api_key, data) as service:
        for job in [service.job(id) for id in job_ids]:  # an unknown id stops the command before anything is deleted
            job.delete()
            say(f"Job {job.id} is deleted.")


def list_jobs(
    *,
    status: Annotated[
        str | None,
        typer.Option("--status", help="Only jobs with this status, for example running."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", "-m", help="Only jobs of this model.")] = None,
    tag: Annotated[str | None, typer.Option("--tag", help="Only jobs with this tag: name:value, or name.")] = None,
    since: Annotated[
        str | None, typer.Option("--since", help="Only jobs made then or later, for example 2026-01-31T09:30Z.")
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="Only jobs made before then.")] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", "-n", min=1, help="Maximum number to list.", show_default=str(_LISTED))
    ] = None,
    do: Annotated[
        Literal["cancel", "retry", "delete"] | None,
        typer.Option("--do", help="Do this to every job that matches. They are counted first."),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without a question.")] = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """List jobs, newest first, or act on every job that matches.

    Examples:
        rowcast jobs --status failed --tag run:nightly

        rowcast jobs --status failed --until 2026-01-31 --do delete
    """
    matching: JobFilter = {"status": status, "model": model, "tag": tag, "since": since, "until": until}
    with client(url, api_key, data) as service:
        if do is not None:
            if limit is not None:
                raise typer.BadParameter("--do acts on every job that matches, so it takes no --limit.")
            _act(service, do, matching, is_confirmed=yes)
            return
        found = list(service.jobs(limit=limit or _LISTED, **matching))
    if json:
        print_json([job.raw for job in found])
        return
    print_table(["job", "status", "model", "rows", "rows failed", "created"], map(_row, found))


def _act(
    service: "Client", action: Literal["cancel", "retry", "delete"], matching: "JobFilter", *, is_confirmed: bool
) -> None:
    count = service.act(action, dry_run=True, **matching)
    matched = count.matched
    matching = {**matching, "until": count.until}  # later jobs are not counted, so they are not agreed to
    many = counted(matched, "matching job")
    if not matched or is_confirmed:
        say(f"{many}.")
    elif sys.stdin.isatty():
        typer.confirm(f"{many}. {action.capitalize()}?", abort=True, err=True)
    else:
        say(f"{many}. Nothing was done; --yes does it.")
        raise typer.Exit(2)
    acted = failed = 0
    while matched:
        outcome = service.act(action, **matching)
        acted, failed = acted + outcome.acted, failed + outcome.failed
        if outcome.is_complete or not outcome.acted:
            break
    changed = f"; {failed:,} had changed in the meantime" if failed else ""
    say(f"Done to {acted:,}{changed}.")


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
        "webhook": _webhook(job.raw.get("webhook")),
    }
    for name, value in lines.items():
        if value is not None:
            print(f"{name + ':':<12} {value}")


def _webhook(webhook: Mapping[str, Any] | None) -> str | None:
    """Returns how far the delivery is, for example `pending after 2 attempts: 503`."""
    if not webhook:
        return None
    last = webhook.get("last_attempt") or {}
    why = last.get("error") or last.get("status")
    if webhook["state"] not in ("pending", "failed") or not why:
        return str(webhook["state"])
    attempts = "1 attempt" if webhook["attempts"] == 1 else f"{webhook['attempts']} attempts"
    return f"{webhook['state']} after {attempts}: {why}"


def _rows_done(done: int, total: int | None) -> str:
    return f"{done:,}" if total is None else f"{done:,} of {total:,}"


def _show_status(job: "Job", *, as_json: bool) -> None:
    if as_json:
        print_json(job.raw)
    else:
        say(f"Job {job.id} is {job.status}.")
