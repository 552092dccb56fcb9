"""The commands for jobs: predict, submit, status, result, errors, cancel, retry, jobs."""

import shlex
import sys
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.connection import ApiKey, JobId, Json, Url, client
from rowcast.cli.output import say, show_json, show_table
from rowcast.cli.progress import progress

if TYPE_CHECKING:
    from rowcast.client import Job
    from rowcast.client.client import CsvOptions


class OutputKind(StrEnum):
    """What a result's rows hold."""

    joined = "joined"
    predictions = "predictions"


class OnError(StrEnum):
    """What a bad row does."""

    skip = "skip"
    fail = "fail"


Input = Annotated[str, typer.Argument(metavar="IN.csv", help="The file to score (.gz too), or - for standard input.")]
Out = Annotated[
    str, typer.Option("--out", "-o", metavar="OUT.csv", help="Where the result goes; - is standard output.")
]
Model = Annotated[str | None, typer.Option("--model", "-m", help="NAME, NAME@VERSION or NAME@ALIAS.")]
Output = Annotated[
    OutputKind | None,
    typer.Option("--output", help="joined: the input's columns, too. predictions: the new ones alone."),
]
Key = Annotated[str | None, typer.Option("--key", help="Columns that --output predictions carries along: a,b.")]
Probabilities = Annotated[bool, typer.Option("--probabilities", help="Add probability_CLASS for each class.")]
BadRow = Annotated[OnError | None, typer.Option("--on-error", help="What a bad row does to the job.")]
MaxErrors = Annotated[int | None, typer.Option("--max-errors", min=0, help="The job fails when more rows are bad.")]
Delimiter = Annotated[str | None, typer.Option("--delimiter", help="One of , ; | or tab.")]
NoHeader = Annotated[bool, typer.Option("--no-header", help="The columns are the model's features, in order.")]
Column = Annotated[str | None, typer.Option("--prediction-column", help="Its name.", show_default="prediction")]
Guard = Annotated[bool, typer.Option("--guard-formulas", help="Put ' before predicted text like =1+1.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (predict, submit, status, result, errors, cancel, retry):
        app.command()(command)
    app.command("jobs")(list_jobs)


def predict(
    source: Input,
    *,
    out: Out = "-",
    model: Model = None,
    output: Output = None,
    key: Key = None,
    probabilities: Probabilities = False,
    on_error: BadRow = None,
    max_errors: MaxErrors = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    prediction_column: Column = None,
    guard_formulas: Guard = False,
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

    options = _options(
        model=model,
        output=output,
        key=key,
        probabilities=probabilities,
        on_error=on_error,
        max_errors=max_errors,
        delimiter=delimiter,
        no_header=no_header,
        prediction_column=prediction_column,
        guard_formulas=guard_formulas,
    )
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


def submit(
    source: Input,
    *,
    model: Model = None,
    output: Output = None,
    key: Key = None,
    probabilities: Probabilities = False,
    on_error: BadRow = None,
    max_errors: MaxErrors = None,
    delimiter: Delimiter = None,
    no_header: NoHeader = False,
    prediction_column: Column = None,
    guard_formulas: Guard = False,
    url: Url = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Send a CSV file and print the job's id."""
    options = _options(
        model=model,
        output=output,
        key=key,
        probabilities=probabilities,
        on_error=on_error,
        max_errors=max_errors,
        delimiter=delimiter,
        no_header=no_header,
        prediction_column=prediction_column,
        guard_formulas=guard_formulas,
    )
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


def _options(
    *,
    model: str | None,
    output: OutputKind | None,
    key: str | None,
    probabilities: bool,
    on_error: OnError | None,
    max_errors: int | None,
    delimiter: str | None,
    no_header: bool,
    prediction_column: str | None,
    guard_formulas: bool,
) -> "CsvOptions":
    """What was said on the command line; the service knows the defaults."""
    options: CsvOptions = {
        "model": model,
        "output": output.value if output else None,
        "key": key,
        "on_error": on_error.value if on_error else None,
        "max_errors": max_errors,
        "delimiter": delimiter,
        "prediction_column": prediction_column,
    }
    if probabilities:
        options["probabilities"] = True
    if guard_formulas:
        options["guard_formulas"] = True
    if no_header:
        options["header"] = False
    return options
