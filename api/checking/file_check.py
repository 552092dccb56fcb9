"""The check of a file (`POST /predict?dry_run=true`): a worker scores its first rows as a job that is then deleted."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from typing import cast

from flask import Response, g, jsonify, request

from api.checking.check_by_url import LOOK_SECONDS, first_rows, look_at
from api.checking.check_job import NoWorker, ended_job, hidden_request, not_scored, scored_by
from api.checking.explanation_cost import explanation_seconds
from api.error_responses import problem
from api.input.content_sniffing import Unpacked
from api.input.request_input import FileInput
from api.output.early_response import close_after
from api.services import Services
from api.url_prefix import prefix
from api.url_request import UrlRequest
from rowcast.csv.header import Header
from rowcast.errors import (
    BrokenCompression,
    Gone,
    NotFound,
    OptionUnsuitable,
    OptionValue,
    QueueFull,
    Refused,
    TooLarge,
)
from rowcast.jobs.actions.receive_source import FORMAT_NAMES, require_no_csv_options
from rowcast.jobs.check.answer import Expected, PublicCheck, ScoredSample, describe, refusal
from rowcast.jobs.check.file_sample import SAMPLE_BYTES, FileSample, read_sample
from rowcast.jobs.check.found_table import CHECKED_SOURCE_BYTES, FoundTable
from rowcast.jobs.chunk_tables import unpack_whole_plan
from rowcast.jobs.job import Format, Job
from rowcast.jobs.job_filter import JobFilter
from rowcast.jobs.request import Request
from rowcast.jobs.states import Status

SCORE_SECONDS = 10.0
"""How long a check waits for a worker."""

CONVERT_SECONDS = 30.0
"""The same if the worker has to read a Parquet file or a workbook first."""

_TELLING_ROWS = 10_000
"""Jobs with fewer rows say too little about how long a larger one takes."""

_LOOKED_AT = 50

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


def check_response(services: Services, source: FileInput | UrlRequest) -> Response:
    """Returns the check of a file as JSON. Raises as `check_of`."""
    response = jsonify(check_of(services, source) if isinstance(source, FileInput) else _check_by_url(services, source))
    close_after(response)
    return response


def check_of(services: Services, source: FileInput) -> PublicCheck:
    """Returns the check of a file.

    Raises:
        OptionValue: the header `Content-Range` is not valid. OptionUnsuitable, TooLarge: as `_check_converted`.
        The others are those of reading the body.
    """
    is_cut, length_bytes = _range()
    if (format := _format(source)) != "csv":
        return _check_converted(services, source, format, is_cut=is_cut)
    asked = source.request
    sample = read_sample(source.blocks, asked, services.settings, is_cut=is_cut, is_generated=source.is_generated)
    scored = ScoredSample([], [], 0)
    if refusal(sample, asked) is None and sample.rows:
        scored = _score(services, asked, sample)
    is_compressed = source.is_compressed or (isinstance(source.blocks, Unpacked) and source.blocks.is_compressed)
    row_count = _expected_rows(sample, None if is_compressed or source.is_generated else length_bytes)
    return _answer(services, asked, sample, scored, row_count)


def _check_by_url(services: Services, source: UrlRequest) -> PublicCheck:
    """Returns the check of files by URL: of the beginning of the first one, which a worker reads."""
    asked = source.request
    sample, scored, row_count = _no_sample("csv"), ScoredSample([], [], 0), None
    try:
        looked = look_at(services, asked, source.by_url)
    except NoWorker:
        scored = not_scored()
    except QueueFull as error:
        scored = not_scored(error.detail)
    except (Gone, NotFound):
        scored = not_scored("the job that finds the files was deleted")
    else:
        if looked.found is not None:
            sample, row_count = first_rows(looked.found, looked.data, asked, services.settings)
            if refusal(sample, asked) is None and sample.rows:
                scored = _score(services, asked, sample)
        elif looked.problem is not None:
            scored = replace(scored, problem=looked.problem)
        else:
            scored = not_scored(f"no worker has read the files within {LOOK_SECONDS:g} s")
    return _answer(services, asked, sample, scored, row_count)


def _answer(
    services: Services, asked: Request, sample: FileSample, scored: ScoredSample, row_count: int | None
) -> PublicCheck:
    expected: Expected = {"rows": row_count, "seconds": _expected_seconds(services, asked, row_count)}
    if asked.options.explain and scored.sample and row_count is not None:
        cost = explanation_seconds(services, asked, sample)
        processes = max(1, sum(one.slots for one in services.workers.online() if one.pool == asked.pool))
        if cost is not None:
            expected["seconds"] = round((expected["seconds"] or 0.0) + row_count * cost / processes, 1)
    return describe(sample, asked, scored, expected, lambda one: problem(one, prefix()))


def _format(source: FileInput) -> Format:
    if isinstance(source.blocks, Unpacked):
        with suppress(Refused):  # the check says so
            return source.blocks.begin()
    return "csv"


def _range() -> tuple[bool, int | None]:
    """Returns whether the body is only the beginning of the file, and the file's length in bytes if it is known.

    The header is `Content-Range: bytes 0-1048575/94000000` (RFC 9110 section 14.5) if the body is only a part.
    """
    given = request.headers.get("Content-Range")
    if given is None:
        return False, request.content_length
    found = _RANGE.fullmatch(given.strip())
    if not found or int(found[1]) != 0:
        raise OptionValue.at("Content-Range", "must be for example `bytes 0-1048575/94000000`, from the first byte on")
    length = None if found[3] == "*" else int(found[3])
    return length is None or int(found[2]) + 1 < length, length


def _expected_rows(sample: FileSample, length_bytes: int | None) -> int | None:
    """Returns the number of rows, estimated if the file is longer than the sample; None if its length is not known."""
    if sample.is_ended:
        return sample.rows_seen
    if length_bytes is None or not sample.rows_seen:
        return None
    return round(length_bytes * sample.rows_seen / sample.bytes_seen)


def _expected_seconds(services: Services, asked: Request, row_count: int | None) -> float | None:
    """Returns how long the newest larger job of the same model version would have taken for as many rows.

    Jobs that explain their rows do not count: what that costs is measured.
    """
    taken = JobFilter(Status.SUCCEEDED)
    known_as = asked.models.reference
    jobs, _ = services.jobs.page(_LOOKED_AT, owner=g.scope)  # without the filter, as it could read thousands of records
    for job in filter(taken.matches, jobs):
        tells = job.spec.known_as == known_as and job.rows_total >= _TELLING_ROWS and not job.spec.options.explain
        if tells and job.started_ms and job.finished_ms:
            seconds = (job.finished_ms - job.created_ms) / 1000
            return None if row_count is None else round(row_count * seconds / job.rows_total, 1)
    return None


def _score(services: Services, asked: Request, sample: FileSample) -> ScoredSample:
    hidden = hidden_request(asked, sample.delimiter)
    content = (sample.header.line if sample.header else b"") + sample.data
    try:
        with ended_job(
            services, hidden.pool, SCORE_SECONDS, lambda id: services.jobs.submit_file(hidden, [content], id)
        ) as job:
            return scored_by(services, asked.models, job, SCORE_SECONDS)
    except NoWorker:
        return not_scored()
    except QueueFull as error:
        return not_scored(error.detail)
    except (Gone, NotFound):
        return not_scored("the job of the first rows was deleted")


def _check_converted(services: Services, source: FileInput, format: Format, *, is_cut: bool) -> PublicCheck:
    """Returns the check of a file that a worker converts: the worker reads its columns and its first rows.

    Raises:
        OptionUnsuitable: an option says how a CSV file is written, or the body is only the beginning of the file.
        TooLarge: the file is larger than a check takes.
    """
    require_no_csv_options(source.request.options, format)
    if is_cut:
        what = FORMAT_NAMES[format]
        raise OptionUnsuitable.at("Content-Range", f"is not for the check of this {what}: send the whole file")
    blocks = _within_limit(cast(Unpacked, source.blocks).content(), format)
    hidden = hidden_request(source.request, ",")
    sample, scored, row_count = _no_sample(format), ScoredSample([], [], 0), None
    try:
        with ended_job(
            services, hidden.pool, CONVERT_SECONDS, lambda id: services.jobs.submit_source(hidden, blocks, format, id)
        ) as job:
            if (document := services.files.get_found(job.id)) is not None:
                found = FoundTable.model_validate_json(document)
                sample, row_count = _converted_sample(services, job, found, sample), found.rows
            scored = scored_by(services, source.request.models, job, CONVERT_SECONDS)
    except BrokenCompression as error:
        sample = replace(sample, problem=error)
    except NoWorker:
        scored = not_scored()
    except QueueFull as error:
        scored = not_scored(error.detail)
    except (Gone, NotFound):
        scored = not_scored("the job of the first rows was deleted")
    return _answer(services, source.request, sample, scored, row_count)


def _within_limit(blocks: Iterator[bytes], format: Format) -> Iterator[bytes]:
    """Yields the blocks of a file. Raises TooLarge if it is larger than a check takes."""
    read_bytes = 0
    for block in blocks:
        read_bytes += len(block)
        if read_bytes > CHECKED_SOURCE_BYTES:
            what = f"The {FORMAT_NAMES[format]} to check (send it without the check, which a worker then makes)"
            raise TooLarge(what, CHECKED_SOURCE_BYTES, "fixed")
        yield block


def _converted_sample(services: Services, job: Job, found: FoundTable, sample: FileSample) -> FileSample:
    """Returns the first rows of a file as the worker has converted them, about as many bytes as of a CSV file."""
    data, rows = b"", 0
    plan = unpack_whole_plan(services.records.plan(job.id))
    for number, planned in enumerate(islice(plan, job.chunks_total)):
        if len(data) < SAMPLE_BYTES:
            data += services.files.get_input(job.id, number)
            rows += planned.rows
    header = Header(b"", found.columns, delimiter="")
    return replace(sample, header=header, encoding="utf-8", data=data, rows=rows, rows_seen=found.rows)


def _no_sample(format: Format) -> FileSample:
    """Returns the sample of a file of which nothing is known yet."""
    return FileSample(
        header=None,
        delimiter=",",
        encoding="",
        data=b"",
        rows=0,
        rows_seen=0,
        bytes_seen=0,
        is_ended=False,
        problem=None,
        format=format,
    )
