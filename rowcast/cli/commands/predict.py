"""The commands that score a file: predict and submit."""

import shlex
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.commands.predict_options import takes_predict_options
from rowcast.cli.commands.url_jobs import predict_url, require_one_url, submit_url
from rowcast.cli.connection_options import ApiKey, Json, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import fail, model_of, print_json, say
from rowcast.cli.output_files import Force, Format, SkipExisting, inputs_of, outputs_of, result_format
from rowcast.cli.progress import ProgressDisplay, progress
from rowcast.cli.termination import Terminated
from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.client import Client, Job
    from rowcast.client.csv_options import CsvOptions
    from rowcast.client.download import Sink
    from rowcast.client.download_format import ResultFormat

_QUICK_SECONDS = 1.0
"""A job that takes longer is followed."""


Inputs = Annotated[
    list[str],
    typer.Argument(
        metavar="IN.csv...", help="Files to score: CSV (.gz too), Parquet or Excel (.xlsx). - is standard input."
    ),
]
Input = Annotated[
    str,
    typer.Argument(
        metavar="IN.csv", help="File to score: CSV (.gz too), Parquet or Excel (.xlsx). - is standard input."
    ),
]
OutOrFolder = Annotated[
    str,
    typer.Option(
        "--out",
        "-o",
        metavar="OUT",
        help="File to write, or a folder for several files; - is standard output. Or a URL, if the input is one.",
    ),
]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (predict, submit):
        app.command()(command)


@takes_predict_options
def predict(
    sources: Inputs,
    *,
    out: OutOrFolder = "-",
    force: Force = False,
    skip_existing: SkipExisting = False,
    format: Format = None,
    options: "CsvOptions",
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print the job as JSON: on standard error if the result goes to standard output."),
    ] = False,
) -> None:
    """Score CSV files: upload them, wait, and download the results.

    Examples:
        rowcast predict in.csv -o out.csv

        zcat big.csv.gz | rowcast predict - > out.csv

        rowcast predict january.csv february.csv -o results/

        rowcast predict 'data/*.csv' -o results/ --skip-existing

        rowcast predict in.csv -o out.parquet

        rowcast predict 's3://data/in/*.csv' -o s3://data/out/
    """
    if require_one_url(sources, out):
        with client(url, api_key, data) as service:
            _say_done(predict_url(service, sources[0], out, format, options, force=force), out, as_json=json)
        return
    result_format(out, format)  # checked before a folder is made
    inputs = inputs_of(sources)
    outputs = outputs_of(inputs, out, format, force=force, skip_existing=skip_existing)
    if len(outputs) < len(inputs):
        say(f"Left out {counted(len(inputs) - len(outputs), 'file')} whose result exists.")
    if not outputs:
        return
    with client(url, api_key, data) as service:
        if len(inputs) == 1:
            ((source, output),) = outputs.items()
            _predict_one(service, source, output, format, options, force=force, as_json=json)
        elif _predict_each(service, outputs, format, options, force=force, as_json=json):
            raise typer.Exit(1)


def _predict_each(
    service: "Client",
    outputs: dict[str, str],
    format: "ResultFormat | None",
    options: "CsvOptions",
    *,
    force: bool,
    as_json: bool,
) -> int:
    """Scores several files, also if some of them fail. Returns how many failed."""
    from rowcast.client import ClientError, Unreachable

    failures = 0
    for source, output in outputs.items():
        try:
            _predict_one(service, source, output, format, options, force=force, as_json=as_json)
        except (KeyboardInterrupt, Terminated, Unreachable):
            with suppress(OSError):  # after SIGHUP, the terminal may be gone
                say(f"{_done_of(outputs)}. The same command with --skip-existing scores the others.")
            raise
        except ClientError as error:
            failures += 1
            say(f"{source}:")
            fail(error)
    if failures:
        say(f"{failures:,} of {counted(len(outputs), 'file')} could not be scored.")
    return failures


def _done_of(outputs: Mapping[str, str]) -> str:
    done = sum(Path(output).is_file() for output in outputs.values())
    return f"{done:,} of {counted(len(outputs), 'file')} {'has' if done == 1 else 'have'} a result"


def _predict_one(
    service: "Client",
    source: str,
    out: str,
    format: "ResultFormat | None",
    options: "CsvOptions",
    *,
    force: bool,
    as_json: bool,
) -> None:
    from rowcast.client import ClientError, Gone, NoResult
    from rowcast.client.download import open_sink

    form = result_format(out, format)
    job: Job | None = None
    try:
        with open_sink(out, replace=force) as sink, progress(out) as shown:
            job = service.submit_csv(source, on_progress=shown.uploaded, **options)
            if form == "csv" and sink.can_rewind and not _is_quick(job, shown):
                _follow(service, job, sink, shown)
            else:
                job.wait(on_progress=shown.predicted)
                job.download_to(sink, shown.downloaded, format=form)
    except KeyboardInterrupt:
        if job is not None:
            _cancel_or_leave(job, out, format)
        raise
    except (Terminated, ClientError, OSError) as error:  # also if the API key was removed meanwhile
        if job is not None and not isinstance(error, NoResult | Gone | BrokenPipeError):
            _say_where_the_job_is(job, out, format)
        raise
    _say_done(job, out, as_json=as_json)


def _is_quick(job: "Job", shown: ProgressDisplay) -> bool:
    """Waits a second for the job, and returns whether it has succeeded."""
    from rowcast.client import StillRunning

    try:
        job.wait(_QUICK_SECONDS, on_progress=shown.predicted)
    except StillRunning:
        return False
    return True


def _follow(service: "Client", job: "Job", sink: "Sink", shown: ProgressDisplay) -> None:
    """Writes the result while it is scored. Meanwhile a thread asks for the progress and shows it."""
    from rowcast.client import ClientError

    watched = service.job(job.id)

    def watch() -> None:
        with suppress(ClientError):  # `follow_to` raises what is wrong
            watched.wait(on_progress=shown.predicted)

    watching = threading.Thread(target=watch, daemon=True)
    watching.start()
    job.follow_to(sink)
    watching.join()


def _cancel_or_leave(job: "Job", out: str, format: "ResultFormat | None") -> None:
    """Asks on a terminal whether to cancel the job. A second Ctrl-C, and any other input, leaves it running."""
    from rowcast.client import ClientError

    if sys.stdin.isatty() and sys.stderr.isatty():
        try:
            if typer.confirm("Cancel the job too?", default=False, err=True):
                say(f"The job is {job.cancel().status}.")
                return
        except (KeyboardInterrupt, typer.Abort):
            say("")
        except ClientError as error:  # for example, it has ended
            fail(error)
    _say_where_the_job_is(job, out, format)


def _say_where_the_job_is(job: "Job", out: str, format: "ResultFormat | None") -> None:
    named = f" --format {format}" if format else ""
    state = "has ended" if job.has_ended else "is still running"
    with suppress(OSError):  # after SIGHUP, the terminal may be gone
        say(f"The job {state}. Download its result with: rowcast result {job.id} -o {_quoted(out)}{named}")
        if not job.has_ended:
            say(f"Or cancel it with: rowcast cancel {job.id}")


@takes_predict_options
def submit(
    source: Input,
    *,
    options: "CsvOptions",
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Upload a CSV file to score and print the job's id, without waiting.

    Examples:
        rowcast submit in.csv --tags run:nightly
        rowcast result 01a2054e -o out.csv
    """
    with client(url, api_key, data) as service, progress() as shown:
        if require_one_url([source], "-"):
            job = submit_url(service, source, "-", options, overwrite=False)
        else:
            job = service.submit_csv(source, on_progress=shown.uploaded, **options)
    if json:
        print_json(job.raw)
    else:
        print(job.id)


def _say_done(job: "Job", out: str, *, as_json: bool) -> None:
    if as_json:
        print_json(job.raw, sys.stderr if out == "-" else sys.stdout)
        return
    rows = job.progress
    failed = rows.get("rows_failed") or 0
    sentence = f"{counted(rows.get('rows_total') or 0, 'row')} scored by {model_of(job)}"
    sentence += "" if out == "-" else f" into {out}"
    summary = (job.raw.get("result") or {}).get("summary") or {}
    if disagreement := summary.get("disagreement"):
        sentence += f"; the models disagree in {counted(disagreement['rows'], 'row')} ({disagreement['fraction']:.2%})"
    if failed:
        sentence += f"; {failed:,} of them could not be predicted: rowcast errors {job.id}"
    say(f"{sentence}.")


def _quoted(out: str) -> str:
    return shlex.quote(out if out == "-" else str(Path(out)))
