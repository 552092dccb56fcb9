"""Results by presigned URLs: the bucket sends them to the caller, and the gateway only says where they are."""

from datetime import timedelta
from typing import NotRequired

from flask import Response, jsonify, request
from typing_extensions import TypedDict

from api.openapi.call_types import query
from api.output.responses import now_ms
from api.output.result_parts import Parts, require_kept
from api.services import Services
from api.url_prefix import prefix
from rowcast.errors import NotAcceptable, OptionValue
from rowcast.jobs.job import Job, ParquetFile
from rowcast.jobs.public_job import Time, timestamp
from rowcast.jobs.results.result_format import RESULT_FORMAT
from rowcast.jobs.states import Status

FORMAT = "urls"
"""What `?format=` says to get the list of URLs."""

MOST_PARTS = 1000
"""Parts in one list. A job has up to some hundred thousand of them."""

FIRST_PART = query(
    "first_part", "With `format=urls`: the part from which on the list begins.", type="integer", minimum=0, default=0
)
REDIRECT = query(
    "redirect",
    "`true`: a Parquet file may be answered with a redirect to the bucket, if the service has presigned URLs.",
    type="string",
    enum=["true", "false"],
)
"""A redirect is sent only to callers that follow it, and do not send their API key along."""

_MOST_DIGITS = 10
_PRIVATE = {"Cache-Control": "no-store"}


class PresignedPiece(TypedDict):
    """A piece of a result in the bucket. `xxh3_128` is the digest of its bytes, as hexadecimal digits."""

    url: str
    rows: int
    length: int
    xxh3_128: NotRequired[str]


class PresignedResult(TypedDict):
    """The pieces of a result, in order: their bytes one after the other are the result."""

    content_type: str
    expires_at: Time
    pieces: list[PresignedPiece]
    #: The list of the next pieces, if these are not all.
    next: NotRequired[str]


def presigns(services: Services) -> bool:
    """Returns whether the service has presigned URLs: they are set up, and the store is a bucket."""
    return services.settings.presigned_seconds > 0 and services.files.are_in_a_bucket


def presigned_list(services: Services, job: Job) -> Response:
    """Returns the URLs of the pieces of a CSV from `?first_part=` on: for part 0, with the header line before it.

    Raises:
        NotAcceptable: the service has no presigned URLs, or the job has not succeeded. OptionValue: there is no such
            part.
        JobDeleted, JobExpired, Restoring: the files are gone.
    """
    if not presigns(services):
        raise NotAcceptable("This service has no presigned URLs. Leave out `format=urls` to get the result from it.")
    if job.status is not Status.SUCCEEDED:
        raise NotAcceptable("Only the result of a job that has succeeded has presigned URLs.")
    first = query_first_part()
    if first and first >= job.chunks_total:
        raise OptionValue.at("first_part", f"must be less than the number of parts, {job.chunks_total}")
    parts = Parts(services, job.id, job.chunks_total, job.revisions)
    parts.require_whole(job.chunks_done)
    seconds = services.settings.presigned_seconds
    expires_ms = now_ms() + timedelta(seconds=seconds) // timedelta(milliseconds=1)
    numbers = range(first, min(first + MOST_PARTS, job.chunks_total))
    urls = services.files.presigned_parts(job.id, [(n, job.revisions.get(n, "")) for n in numbers], seconds)
    pieces: list[PresignedPiece] = [
        {"url": url, "rows": part.rows, "length": part.part_bytes, "xxh3_128": part.digest.hex()}
        for url, part in zip(urls, parts.stored[first:], strict=False)
        if part.part_bytes
    ]
    if not first and job.spec.header_bytes:
        header = services.files.presigned_header(job.id, seconds)
        pieces.insert(0, {"url": header, "rows": 0, "length": job.spec.header_bytes})
    document: PresignedResult = {
        "content_type": RESULT_FORMAT.content_type,
        "expires_at": timestamp(expires_ms),
        "pieces": pieces,
    }
    if numbers.stop < job.chunks_total:
        document["next"] = f"{prefix()}/jobs/{job.id}/result?format={FORMAT}&first_part={numbers.stop}"
    require_kept(services, job.id)
    response = jsonify(document)
    response.headers.update(_PRIVATE)
    return response


def query_first_part() -> int:
    """Returns the number in `?first_part=`.

    Raises:
        OptionValue: it is not a number.
    """
    given = request.args.get("first_part", "0")
    if not (given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS):
        raise OptionValue.at("first_part", "must be the number of a part, for example 1000")
    return int(given)


def redirect_to_parquet(services: Services, job: Job, file: ParquetFile) -> Response:
    """Returns a redirect to the Parquet file in the bucket."""
    url = services.files.presigned_parquet(job.id, file.name, services.settings.presigned_seconds)
    return Response(status=307, headers={"Location": url, **_PRIVATE})
