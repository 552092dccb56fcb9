"""The check of a file (`POST /predict?dry_run=true`): a worker scores its first rows as a job that is then deleted."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from flask import Response, g, jsonify, request

from api.error_responses import problem
from api.input.content_sniffing import Unpacked
from api.input.request_input import FileInput
from api.output.early_response import close_after
from api.output.responses import wait_for_end
from api.output.result_parts import PATIENCE_SECONDS, Parts
from api.services import Services
from api.url_prefix import prefix
from rowcast.csv.rows import rows
from rowcast.errors import Gone, NotFound, OptionUnsuitable, OptionValue, QueueFull, Refused
from rowcast.jobs.actions.receive_source import FORMAT_NAMES
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.check.answer import (
    SHOWN_FAULTS,
    SHOWN_ROWS,
    CheckWarning,
    Expected,
    PublicCheck,
    SampleFault,
    SampleRow,
    ScoredSample,
    describe,
    refusal,
)
from rowcast.jobs.check.file_sample import FileSample, read_sample
from rowcast.jobs.job import Format, Job
from rowcast.jobs.job_filter import JobFilter
from rowcast.jobs.request import Request
from rowcast.jobs.results.labels import prediction_reader
from rowcast.jobs.states import Status
from rowcast.models.model_set import ModelSet

SCORE_SECONDS = 10.0
"""How long a check waits for a worker."""

_TELLING_ROWS = 10_000
"""Jobs with fewer rows say too little about how long a larger one takes."""

_LOOKED_AT = 50

_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


def check_response(services: Services, source: FileInput) -> Response:
    """Returns the check of a file as JSON. Raises as `check_of`."""
    response = jsonify(check_of(services, source))
    close_after(response)
    return response


def check_of(services: Services, source: FileInput) -> PublicCheck:
    """Returns the check of a file.

    Raises:
        OptionValue: the header `Content-Range` is not valid. The others are those of reading the body.
    """
    is_cut, length_bytes = _range()
    _refuse_converted(source)
    sample = read_sample(
        source.blocks, source.request, services.settings, is_cut=is_cut, is_generated=source.is_generated
    )
    scored = ScoredSample([], [], 0)
    if refusal(sample, source.request) is None and sample.rows:
        scored = _score(services, source.request, sample)
    is_compressed = source.is_compressed or (isinstance(source.blocks, Unpacked) and source.blocks.is_compressed)
    row_count = _expected_rows(sample, None if is_compressed or source.is_generated else length_bytes)
    expected: Expected = {"rows": row_count, "seconds": _expected_seconds(services, source.request, row_count)}
    return describe(sample, source.request, scored, expected, lambda one: problem(one, prefix()))


def _refuse_converted(source: FileInput) -> None:
    """Refuses a file that a worker would have to convert as a whole.

    Raises:
        OptionUnsuitable: it is such a file.
    """
    if not isinstance(source.blocks, Unpacked):
        return
    format: Format = "csv"
    with suppress(Refused):  # the check says so
        format = source.blocks.begin()
    if format != "csv":
        what = FORMAT_NAMES[format]
        raise OptionUnsuitable.at(
            "dry_run", f"is only for CSV files; a worker checks the columns and types of this {what} when it is sent"
        )


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


def _expected_seconds(services: Services, request: Request, row_count: int | None) -> float | None:
    """Returns how long the newest larger job of the same model version would have taken for as many rows."""
    taken = JobFilter(Status.SUCCEEDED)
    known_as = request.models.reference
    jobs, _ = services.jobs.page(_LOOKED_AT, owner=g.scope)  # without the filter, as it could read thousands of records
    for job in filter(taken.matches, jobs):
        if job.spec.known_as == known_as and job.rows_total >= _TELLING_ROWS and job.started_ms and job.finished_ms:
            seconds = (job.finished_ms - job.created_ms) / 1000
            return None if row_count is None else round(row_count * seconds / job.rows_total, 1)
    return None


def _score(services: Services, request: Request, sample: FileSample) -> ScoredSample:
    options = request.options.model_copy(
        update={
            "delimiter": sample.delimiter,
            "encoding": "utf-8",
            "output": "predictions",
            "key": (),
            "probabilities": False,
            "scores": False,
            "on_error": "skip",
            "max_errors": None,
            "guard_formulas": False,
            "reuse": False,
            "tags": {},
            "webhook": None,
        }
    )
    hidden = replace(request, options=options, idempotency_key=None, filename=None, is_check=True)
    content = (sample.header.line if sample.header else b"") + sample.data
    try:
        with _hidden_job(services, hidden, content) as job:
            return _read(services, request.models, job, sample.delimiter)
    except QueueFull as error:
        return _not_scored(error.detail)
    except (Gone, NotFound):
        return _not_scored("the job of the first rows was deleted")


@contextmanager
def _hidden_job(services: Services, request: Request, content: bytes) -> Iterator[Job]:
    """Yields the job of the sample when it has ended, or after `SCORE_SECONDS`. Afterwards the job is deleted.

    If the gateway dies before that, upkeep removes the job soon after its end.
    """
    id = new_id()
    with services.notifications.expect(id) as waiter:
        try:
            services.jobs.submit_file(request, [content], id)
            yield wait_for_end(services, id, waiter, time.monotonic() + SCORE_SECONDS)
        finally:
            services.jobs.discard(id)


def _not_scored(why: str) -> ScoredSample:
    warning: CheckWarning = {"type": "not-scored", "message": f"The first rows were not predicted: {why}."}
    return ScoredSample([], [], 0, warnings=(warning,))


def _read(services: Services, models: ModelSet, job: Job, delimiter: str) -> ScoredSample:
    if not job.status.is_terminal:
        online = services.workers.count()
        return _not_scored(f"no worker did so within {SCORE_SECONDS:g} s" if online else "no worker is online")
    if job.status is Status.CANCELLED:
        return _not_scored("their job was cancelled")
    parts = Parts(services, job.id, job.chunks_total)
    predictions, faults = b"", b""
    for number, part in enumerate(parts.stored):
        if part.is_stored:
            predictions += b"".join(parts.read(number, 0, PATIENCE_SECONDS))
            faults += parts.errors(number, PATIENCE_SECONDS) if part.error_bytes else b""
    bad_rows = _bad_rows(faults)
    bad = {row["row"] for row in bad_rows}
    read = prediction_reader(models)
    good = [(row, cells) for row, cells in enumerate(rows(predictions, delimiter), start=1) if row not in bad]
    sample: list[SampleRow] = [{"row": row, "prediction": read(cells)} for row, cells in good[:SHOWN_ROWS]]
    return ScoredSample(
        sample, bad_rows[:SHOWN_FAULTS], len(bad_rows), job.error, unfit=frozenset(row["column"] for row in bad_rows)
    )


def _bad_rows(lines: bytes) -> list[SampleFault]:
    return [
        {"row": int(row), "column": column, "value": value, "message": text}
        for row, column, value, text in rows(lines, ",")
    ]
