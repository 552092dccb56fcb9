"""The hidden job of a check: it scores the first rows of a file, is read when it has ended, and is deleted."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from api.output.responses import wait_for_end
from api.output.result_parts import PATIENCE_SECONDS, Parts
from api.services import Services
from rowcast.csv.rows import rows
from rowcast.jobs.actions.submit import new_id
from rowcast.jobs.check.answer import SHOWN_FAULTS, SHOWN_ROWS, CheckWarning, SampleFault, SampleRow, ScoredSample
from rowcast.jobs.job import Job
from rowcast.jobs.request import Request
from rowcast.jobs.results.labels import prediction_reader
from rowcast.jobs.states import Status
from rowcast.models.model_set import ModelSet


def hidden_request(asked: Request, delimiter: str, explain: int | None = None) -> Request:
    """Returns the request of the hidden job: the same rows by the same models, and only their predictions.

    With `explain`, they are explained, too.
    """
    options = asked.options.model_copy(
        update={
            "delimiter": delimiter,
            "encoding": "utf-8",
            "output": "predictions",
            "key": (),
            "probabilities": False,
            "scores": False,
            "top": None,
            "explain": explain,
            "columns": {},
            "on_error": "skip",
            "max_errors": None,
            "fail_if_drift": None,
            "guard_formulas": False,
            "tags": {},
            "priority": "high",  # it is small, and a caller waits for it
            "expires_in": None,
            "reuse": False,
            "webhook": None,
        }
    )
    return replace(asked, options=options, idempotency_key=None, filename=None, is_check=True)


class NoWorker(Exception):
    """No worker is online that could score the first rows of a file."""


@contextmanager
def ended_job(services: Services, pool: str, seconds: float, submit: Callable[[str], object]) -> Iterator[Job]:
    """Yields the job of a pool that `submit` makes, with the id that it gets, when it has ended or after some seconds.

    Afterwards the job is deleted. If the gateway dies before that, upkeep removes the job soon after its end.

    Raises:
        NoWorker: no worker is online, so the job was not made. The others are those of `submit`.
    """
    if not services.workers.count(pool):
        raise NoWorker
    id = new_id()
    with services.notifications.expect(id) as waiter:
        try:
            submit(id)
            yield wait_for_end(services, id, waiter, time.monotonic() + seconds)
        finally:
            services.jobs.discard(id)


def not_scored(why: str = "no worker is online") -> ScoredSample:
    """Returns a sample without predictions, and a warning that says why."""
    warning: CheckWarning = {"type": "not-scored", "message": f"The first rows were not predicted: {why}."}
    return ScoredSample([], [], 0, warnings=(warning,))


def scored_by(services: Services, models: ModelSet, job: Job, seconds: float) -> ScoredSample:
    """Returns what the hidden job has made of the first rows, for which it had `seconds`."""
    if not job.status.is_terminal:
        online = services.workers.count(job.spec.pool)
        return not_scored(f"no worker did so within {seconds:g} s") if online else not_scored()
    if job.status is Status.CANCELLED:
        return not_scored("their job was cancelled")
    parts = Parts(services, job.id, job.chunks_total)
    predictions, faults = b"", b""
    for number, part in enumerate(parts.stored):
        if part.is_stored:
            predictions += b"".join(parts.read(number, 0, PATIENCE_SECONDS))
            faults += parts.errors(number, PATIENCE_SECONDS) if part.error_bytes else b""
    bad_rows = _bad_rows(faults)
    bad = {row["row"] for row in bad_rows}
    read = prediction_reader(models)
    cells_of = enumerate(rows(predictions, job.spec.options.delimiter), start=1)
    good = [(row, cells) for row, cells in cells_of if row not in bad]
    sample: list[SampleRow] = [{"row": row, "prediction": read(cells)} for row, cells in good[:SHOWN_ROWS]]
    return ScoredSample(
        sample, bad_rows[:SHOWN_FAULTS], len(bad_rows), job.error, unfit=frozenset(row["column"] for row in bad_rows)
    )


def _bad_rows(lines: bytes) -> list[SampleFault]:
    return [
        {"row": int(row), "column": column, "value": value, "message": text}
        for row, column, value, text in rows(lines, ",")
    ]
