"""What `predict` and `submit` do if their files are named by URL: the service reads them where they are."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rowcast.cli.output_files import BadOutput, result_format
from rowcast.cli.progress import progress

if TYPE_CHECKING:
    from rowcast.client import Client, Job
    from rowcast.client.csv_options import CsvOptions
    from rowcast.client.download_format import ResultFormat


def is_url(text: str) -> bool:
    """Returns whether a command's argument is a URL and not a file of this machine."""
    return "://" in text


def require_one_url(sources: Sequence[str], out: str) -> bool:
    """Returns whether the only input is a URL.

    Raises:
        BadOutput: there are also other inputs, or only the output is a URL.
    """
    if not any(map(is_url, sources)):
        if is_url(out):
            raise BadOutput(f"Only files that are named by URL can be written to {out}.")
        return False
    if len(sources) > 1:
        raise BadOutput("Give one URL. A pattern stands for several files: rowcast predict 's3://data/in/*.csv'")
    return True


def submit_url(service: "Client", source: str, out: str, options: "CsvOptions", *, overwrite: bool) -> "Job":
    """Makes the job. If `out` is a URL too, the service writes the result there."""
    is_there = is_url(out)
    return service.submit_url(source, out if is_there else None, overwrite=overwrite and is_there, **options)


def predict_url(
    service: "Client", source: str, out: str, format: "ResultFormat | None", options: "CsvOptions", *, force: bool
) -> "Job":
    """Scores files that the service reads itself, and returns the job. Unless `out` is a URL, downloads its result."""
    from rowcast.client.download import open_sink

    form = "csv" if is_url(out) else result_format(out, format)
    with progress(out) as shown:
        job = submit_url(service, source, out, options, overwrite=force)
        job.wait(on_progress=shown.predicted)
        if not is_url(out):
            with open_sink(out, replace=force) as sink:
                job.download_to(sink, shown.downloaded, format=form)
    return job
