"""What explaining rows costs, measured in a check: workers explain some rows of the file."""

from api.checking.check_job import NoWorker, ended_job, hidden_request
from api.services import Services
from rowcast.csv import scan
from rowcast.csv.write import csv_row
from rowcast.errors import Gone, NotFound, QueueFull
from rowcast.jobs.check.file_sample import FileSample
from rowcast.jobs.request import Request
from rowcast.jobs.states import Status

_ROWS = 1_000
"""Rows that are explained: about 0.2 seconds with a hundred trees."""

_TRIES = 2
"""The first time, the worker process may have to open the model and to build its tables."""

_SECONDS = 5.0
"""How long a check waits for each try."""


def explanation_seconds(services: Services, asked: Request, sample: FileSample) -> float | None:
    """Returns the processor time of predicting and explaining a row, in seconds; None if no worker has done so."""
    lines = scan.lines(sample.data, scan.quoted(sample.data, sample.delimiter), sample.delimiter, final=True)
    rows = min(_ROWS, len(lines.stops))
    if not rows:
        return None
    content = _header_line(asked, sample) + sample.data[: int(lines.stops[rows - 1])]
    hidden = hidden_request(asked, sample.delimiter, explain=asked.options.explain)
    taken = []
    try:
        for _ in range(_TRIES):
            with ended_job(
                services, hidden.pool, _SECONDS, lambda id: services.jobs.submit_file(hidden, [content], id)
            ) as job:
                if job.status is not Status.SUCCEEDED:
                    return None
                taken.append(job.cpu_seconds / rows)
    except (NoWorker, QueueFull, Gone, NotFound):
        return None
    return min(taken)


def _header_line(asked: Request, sample: FileSample) -> bytes:
    """Returns the header line. Converted rows have none, but their columns are known."""
    if sample.header is None or not asked.options.header:
        return b""
    return sample.header.line or csv_row(sample.header.columns, sample.delimiter)
