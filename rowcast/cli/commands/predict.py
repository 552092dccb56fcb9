"""The commands that score a file: predict and submit."""

import shlex
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.commands.predict_options import takes_predict_options
from rowcast.cli.connection_options import ApiKey, Json, Out, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import model_of, print_json, say
from rowcast.cli.progress import progress

if TYPE_CHECKING:
    from rowcast.client import Job
    from rowcast.client.csv_options import CsvOptions


Input = Annotated[str, typer.Argument(metavar="IN.csv", help="CSV file to score; .gz too. - is standard input.")]


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    for command in (predict, submit):
        app.command()(command)


@takes_predict_options
def predict(
    source: Input,
    *,
    out: Out = "-",
    options: "CsvOptions",
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="Print the job as JSON: on standard error if the result goes to standard output."),
    ] = False,
) -> None:
    """Score a CSV file: upload it, wait, and download the result."""
    from rowcast.client.download import open_sink

    job: Job | None = None
    try:
        with ExitStack() as stack:
            service = stack.enter_context(client(url, api_key, data))
            sink = stack.enter_context(open_sink(out))
            shown = stack.enter_context(progress(out))
            job = service.submit_csv(source, on_progress=shown.uploaded, **options)
            job.wait(on_progress=shown.predicted)
            job.download_to(sink, shown.downloaded)
    except KeyboardInterrupt:
        if job is not None:
            say(f"The job is still running. Download its result with: rowcast result {job.id} -o {_quoted(out)}")
            say(f"Or cancel it with: rowcast cancel {job.id}")
        raise
    _say_done(job, out, as_json=json)


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
    """Upload a CSV file to score and print the job's id, without waiting."""
    with client(url, api_key, data) as service, progress() as shown:
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
    sentence = f"{rows.get('rows_total'):,} rows scored by {model_of(job)}" + ("" if out == "-" else f" into {out}")
    if failed:
        sentence += f"; {failed:,} of them could not be predicted: rowcast errors {job.id}"
    say(f"{sentence}.")


def _quoted(out: str) -> str:
    return shlex.quote(out if out == "-" else str(Path(out)))
