"""The beginning of files that are checked by URL. The gateway may not reach their place, so a worker reads it."""

from dataclasses import dataclass, replace

from api.checking.check_job import ended_job, hidden_request
from api.input.content_sniffing import Unpacked
from api.services import Services
from rowcast.errors import FileUnreadable
from rowcast.jobs.by_url.plan_files import BEGINNING
from rowcast.jobs.check.file_sample import FileSample, read_sample
from rowcast.jobs.check.found_table import FoundFiles
from rowcast.jobs.job import ByUrl
from rowcast.jobs.request import Request
from rowcast.problem import Recorded
from rowcast.settings import Settings

LOOK_SECONDS = 30.0
"""How long a check waits for a worker that finds the files and reads the first one."""

_OTHER_FORMATS = (b"PAR1", b"PK\x03\x04")
"""What files begin with that are read only as the body of a request: Parquet, workbooks and zip."""


@dataclass(frozen=True)
class Looked:
    """What a worker has found."""

    #: The files; None if it has found none, or not in time.
    found: FoundFiles | None
    #: The beginning of the first one.
    data: bytes
    #: Why it has found none; None if it was not in time.
    problem: Recorded | None


def look_at(services: Services, asked: Request, by_url: ByUrl) -> Looked:
    """Lets a worker find the files, and read the beginning of the first one. Raises as `ended_job`."""
    hidden, input_only = hidden_request(asked, ","), ByUrl(input_url=by_url.input_url)
    with ended_job(
        services, hidden.pool, LOOK_SECONDS, lambda id: services.jobs.submit_by_url(hidden, input_only, id)
    ) as job:
        if (document := services.files.get_found(job.id)) is None:
            return Looked(None, b"", job.error)
        data = services.files.get_planning(job.id, BEGINNING) or b""
        return Looked(FoundFiles.model_validate_json(document), data, None)


def first_rows(found: FoundFiles, data: bytes, asked: Request, settings: Settings) -> tuple[FileSample, int | None]:
    """Returns the sample of the first file, and about how many rows all files have; None if that is not known."""
    unpacked = Unpacked(iter([data]), settings.max_upload_bytes)
    is_cut = len(data) < found.first_bytes
    sample = read_sample(unpacked, asked, settings, is_cut=is_cut, is_generated=False)
    if sample.encoding not in ("", "utf-8"):
        what = f"is {sample.encoding.upper()}; by URL, only UTF-8 is read"
        sample = replace(sample, problem=FileUnreadable.at(found.first, what))
    elif data.startswith(_OTHER_FORMATS):
        what = "is not CSV; by URL, only CSV and gzip are read: send it as the body of the request"
        sample = replace(sample, problem=FileUnreadable.at(found.first, what))
    if found.files == 1 and sample.is_ended:
        return sample, sample.rows_seen
    if unpacked.is_compressed or not sample.bytes_seen:
        return sample, None
    return sample, round(found.bytes * sample.rows_seen / sample.bytes_seen)
