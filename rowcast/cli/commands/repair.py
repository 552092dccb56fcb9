"""The commands for bad rows: errors and repair."""

from typing import TYPE_CHECKING, Annotated

import typer

from rowcast.cli.connection_options import ApiKey, JobId, Json, Out, Url, client
from rowcast.cli.data_location import Data
from rowcast.cli.output import print_json, say
from rowcast.cli.output_files import Force, require_free
from rowcast.cli.progress import progress
from rowcast.wording.quantity import counted

if TYPE_CHECKING:
    from rowcast.client import Job


def add_to(app: typer.Typer) -> None:
    """Adds the commands."""
    app.command()(errors)
    app.command()(repair)


def errors(
    job_id: JobId,
    *,
    as_input: Annotated[
        bool, typer.Option("--as-input", help="The rows themselves, to correct and to pass to `rowcast repair`.")
    ] = False,
    out: Out = "-",
    force: Force = False,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
) -> None:
    """Download the list of the rows that could not be predicted, as CSV.

    Examples:
        rowcast errors 01a2054e -o why.csv
        rowcast errors 01a2054e --as-input -o bad.csv
    """
    require_free(out, force=force)
    with client(url, api_key, data) as service:
        service.job(job_id).download_errors(out, as_input=as_input)


def repair(
    job_id: JobId,
    file: Annotated[str, typer.Argument(metavar="BAD.csv", help="The corrected rows; - is standard input.")],
    *,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="Encoding of BAD.csv, for example windows-1252.")
    ] = None,
    url: Url = None,
    api_key: ApiKey = None,
    data: Data = None,
    json: Json = False,
) -> None:
    """Send bad rows back, corrected. Their predictions take their places in the job's result.

    BAD.csv is the file of `rowcast errors --as-input`, or some of its rows. Waits until they are scored.

    Examples:
        rowcast errors 01a2054e --as-input -o bad.csv
        rowcast repair 01a2054e bad.csv
        rowcast result 01a2054e -o out.csv
    """
    with client(url, api_key, data) as service, progress() as shown:
        job = service.job(job_id)
        before = job.progress.get("rows_failed") or 0
        job.repair(file, encoding=encoding)
        if not job.has_ended:
            job.wait(on_progress=shown.predicted)
    if json:
        print_json(job.raw)
    else:
        say(_outcome(job, before))


def _outcome(job: "Job", before: int) -> str:
    """Returns what the repair did, as a sentence."""
    left = job.progress.get("rows_failed") or 0
    mended = f"Predicted {before - left:,} of {counted(before, 'bad row')} of job {job.id}"
    return (
        f"{mended}."
        if not left
        else f"{mended}. {left:,} {'is' if left == 1 else 'are'} still bad: rowcast errors {job.id} --as-input"
    )
