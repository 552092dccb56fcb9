"""Scores: the predictions of some rows, for a caller that knows neither jobs nor files and waits for them.

The rows become a job as those of `POST /predict` do, with its checks and limits. One row is a single job.
"""

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Any

from flask import Response, request

from api.doors.output_tensors import Value
from api.error_responses import problem, problem_response
from api.input.json_rows import instances_csv
from api.input.option_parsing import MAX_WAIT_SECONDS, preferred_wait, query_wait, read_options
from api.input.request_input import FileInput, RowInput, new_request, refuse_dialect
from api.notifications import Waiter
from api.output.job_answer import log_submitted
from api.output.responses import POLL_AFTER_SECONDS, RECHECK_SECONDS, wait_for_end
from api.output.result_parts import PATIENCE_SECONDS, Parts
from api.services import Services
from api.url_prefix import prefix
from rowcast.csv.rows import rows as csv_rows
from rowcast.csv.rows import whole_rows
from rowcast.errors import (
    BadRow,
    Cancelled,
    JobExpired,
    OptionUnsuitable,
    OptionValue,
    Restoring,
    StillScoring,
    UnknownJob,
)
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.job import Job
from rowcast.jobs.options import Options
from rowcast.jobs.results.labels import label_reader
from rowcast.jobs.states import Status
from rowcast.models.model_manifest import Manifest
from rowcast.models.model_set import ModelSet
from rowcast.models.row_values import values_of_each
from rowcast.wording.quantity import counted

_OF_RESULTS = {
    *("output", "key", "probabilities", "scores", "prediction_column", "on_error", "max_errors"),
    *("guard_formulas", "reuse", "top", "columns", "explain"),
}
"""Options about a result that is a file. A door has another form."""

_OF_PREDICT = {"dry_run", "follow"}
"""What a query may ask for instead of a job's predictions as a whole."""

_BAD_ROWS_SHOWN = 20


class JobProblem(Exception):
    """The job of a door has no predictions for all of its rows."""

    def __init__(self, id: str, recorded: Mapping[str, Any], retry_after_seconds: int | None = None) -> None:
        """`recorded` is the problem as a job's record has it."""
        super().__init__(recorded["detail"])
        self.id, self.recorded, self.retry_after_seconds = id, recorded, retry_after_seconds

    def response(self) -> Response:
        """Returns the problem, with the id of the job."""
        headers = {} if self.retry_after_seconds is None else {"Retry-After": str(self.retry_after_seconds)}
        return problem_response({**problem(self.recorded, prefix()), "job": self.id}, headers)


@dataclass(frozen=True)
class Scores:
    """The predictions of a job that has succeeded."""

    #: The id of the job.
    id: str
    #: For each row its predictions, one for each output of the model, then probabilities and scores if wanted.
    rows: Iterator[list[Value]]
    #: Whether the model has several outputs.
    has_outputs: bool


def door_options(**chosen: Any) -> Options:
    """Returns the options in the query, and those that a door has `chosen` itself.

    Raises:
        OptionUnsuitable: one is about the form of a result, or asks for something else than predictions.
        OptionValue: two models are named. The others are those of `read_options`.
    """
    if asked := _OF_PREDICT & request.args.keys():
        raise OptionUnsuitable.at(min(asked), "is only for `POST /predict`; send the rows there, or leave it out")
    options = read_options({"model": chosen.pop("model")} if "model" in chosen else None)
    if given := _OF_RESULTS & options.model_fields_set:
        raise OptionUnsuitable.at(min(given), "is only for `POST /predict`, because this call has another form")
    if options.model and "," in options.model:
        raise OptionValue.at("model", "names two models; this call takes one")
    return options.model_copy(update={"output": "predictions", **chosen})


def rows_input(services: Services, rows: Sequence[Any], where: str, options: Options) -> RowInput | FileInput:
    """Returns rows as the input of a job. Columns that the model does not have are left out.

    `where` is what messages of errors call the rows.

    Raises:
        RowValues: a row does not fit the model. BodyShape: there are none, or too many. The others are those of
            `new_request`.
    """
    refuse_dialect(options)
    asked = new_request(services, options)
    known = [_known(row, asked.models) for row in rows]
    if len(known) == 1:
        return RowInput(asked, values_of_each(known[0], asked.models, f"{where}[0]")[0])
    return FileInput(asked, [instances_csv(known, asked.models, where)], is_generated=True)


def predictions_only(source: FileInput) -> FileInput:
    """Returns the input of a job whose result has no columns of the file."""
    options = source.request.options.model_copy(update={"output": "predictions"})
    return replace(source, request=replace(source.request, options=options))


def score(services: Services, source: RowInput | FileInput) -> Scores:
    """Makes a job, and returns its predictions when it has ended.

    Raises:
        JobProblem: the job has not ended in time, has failed, or has bad rows. The others are those of `submit`.
    """
    asked = (query_wait(), preferred_wait(), MAX_WAIT_SECONDS)
    until = time.monotonic() + next(seconds for seconds in asked if seconds is not None)
    id = new_id()
    with services.notifications.expect(id) as waiter:
        submitted = source.submit(services, id)
        log_submitted(submitted)
        manifest = source.request.manifest
        if not submitted.replayed:
            waiter.wait(max(0.0, min(until - time.monotonic(), RECHECK_SECONDS)))
            if waiter.outcome:
                return _row_scores(id, waiter.outcome)
            return _scores(services, _ended(services, id, waiter, until), manifest)
    with services.notifications.expect(submitted.id) as waiter:
        job = _ended(services, submitted.id, waiter, until)
        return _scores(services, job, services.models_of(job).first)  # an alias may have moved since the first request


def _ended(services: Services, id: str, waiter: Waiter, until: float) -> Job:
    """Returns the job, which has a result or a problem.

    Raises:
        JobProblem: it has not ended. Restoring: Redis has lost it. JobExpired: an earlier request made it.
    """
    try:
        job = wait_for_end(services, id, waiter, until)
    except UnknownJob as error:
        raise Restoring(f"Redis has lost job {id} while its caller waited. Send the rows again.") from error
    if not job.status.is_terminal:
        raise JobProblem(id, StillScoring(id, job.status).recorded(), POLL_AFTER_SECONDS)
    if job.status is Status.EXPIRED:
        raise JobExpired(f"The result of job {id} has expired. Send the rows with another Idempotency-Key.")
    return job


def _scores(services: Services, job: Job, manifest: Manifest) -> Scores:
    if job.is_single:
        return _row_scores(job.id, dict(job.result or job.error or Cancelled("The job was cancelled.").recorded()))
    if job.status is not Status.SUCCEEDED or job.rows_failed:
        raise JobProblem(job.id, _with_bad_rows(services, job))
    parts = Parts(services, job.id, job.chunks_total, job.revisions)
    parts.require_whole(job.chunks_done)
    read = _row_reader(manifest)
    delimiter = job.spec.options.delimiter
    found = (
        read(row)
        for number, part in enumerate(parts.stored)
        if part.rows
        for piece in whole_rows(parts.read(number, 0, PATIENCE_SECONDS), delimiter)
        for row in csv_rows(piece, delimiter)
    )
    first = list(islice(found, 1))  # if the store is unavailable, this raises before a response begins
    return Scores(job.id, chain(first, found), manifest.outputs is not None)


def _row_scores(id: str, outcome: Mapping[str, Any]) -> Scores:
    """Returns the prediction of a single row, given the outcome of its job."""
    if "type" in outcome:
        raise JobProblem(id, outcome)
    found = outcome["prediction"]
    has_outputs = isinstance(found, list)
    row = list(found) if has_outputs else [found]
    for name in ("probabilities", "scores"):
        row += outcome.get(name, {}).values()
    return Scores(id, iter([row]), has_outputs)


def _with_bad_rows(services: Services, job: Job) -> Mapping[str, Any]:
    """Returns the problem of a job that has failed, or that has bad rows, with the first of them."""
    faults: list[dict[str, str]] = []
    parts = Parts(services, job.id, job.chunks_total, job.revisions)
    for number, part in enumerate(parts.stored):
        if part.error_bytes and len(faults) < _BAD_ROWS_SHOWN:
            for row, column, _, message in csv_rows(parts.errors(number, PATIENCE_SECONDS), ","):
                faults.append({"where": f"row {row}" + (f", column {column}" if column else ""), "message": message})
    faults = faults[:_BAD_ROWS_SHOWN]
    if job.status is not Status.SUCCEEDED:
        recorded = dict(job.error or Cancelled("The job was cancelled.").recorded())
        return {"errors": faults, **recorded} if faults else recorded
    first = f"{faults[0]['where']}: {faults[0]['message']}" if faults else "GET /jobs/ID/errors lists them"
    detail = f"{counted(job.rows_failed, 'row')} of {job.rows_total} cannot be predicted, so none is returned. {first}."
    return BadRow(detail, faults).recorded()


def _row_reader(manifest: Manifest) -> Any:
    several = 1 if manifest.outputs is None else len(manifest.outputs)
    read = label_reader(manifest)

    def values(cells: Sequence[str]) -> list[Value]:
        return [*map(read, cells[:several]), *map(_number, cells[several:])]

    return values


def _number(cell: str) -> float | None:
    value = float(cell)
    return value if math.isfinite(value) else None


def _known(row: Any, models: ModelSet) -> Any:
    """Returns a row without columns that the model does not have, unless it lacks one that is required."""
    if not isinstance(row, Mapping) or not all(name in row for name in models.required_names):
        return row
    return {name: row[name] for name in models.feature_names if name in row}
