"""One worker process: what it holds open, and what it does with a hint."""

import os
import time
from collections.abc import Sequence
from typing import Any

from rowcast.errors import ModelRefused, NotFound, RowcastError, Unavailable
from rowcast.jobs.connection import connect
from rowcast.jobs.files import Files
from rowcast.jobs.leases import MAX_ATTEMPTS, ChunkLease, Exhausted, Leases, Outcome, RowLease
from rowcast.jobs.packed import Stored
from rowcast.jobs.records import Records
from rowcast.logs import logger
from rowcast.models.registry import Registry
from rowcast.problem import problem
from rowcast.settings import Settings
from rowcast.storage import Storage
from worker.keeper import Keeper
from worker.models import Models
from worker.predict import predict_rows
from worker.score import ChunkSpec, Part, score

GATHER_ROWS = 256
"""Single rows predicted in one call: it costs hardly more than one row does."""

PATIENT_ATTEMPTS = 100
"""Attempts where only the store or Redis is away; the pause between them grows to half a minute."""

RAISING_ATTEMPTS = 3
"""Attempts of a chunk that raises an error of its own."""


class Process:
    """What one pool process of the worker has at hand; made after the fork."""

    def __init__(self, settings: Settings, node: str) -> None:
        redis = connect(settings.redis_url)
        self.holder = f"{node}/{os.getpid()}"
        self._leases = Leases(redis, settings, self.holder)
        self._records = Records(redis, settings)
        self._files = Files(Storage(settings.store))
        self._models = Models(Registry(Storage(settings.models), settings.model_key), settings.model_versions)
        self._keeper = Keeper(self._leases, settings.lease_seconds, settings.chunk_timeout)
        self._log = logger("worker").bind(worker=self.holder)

    def warm_up(self, model: str) -> None:
        """Opens the default model; one that cannot be opened is reported by the job that asks for it."""
        try:
            self._models.preload(model)
        except RowcastError as error:
            self._log.warning("default_model_not_loaded", model=model, reason=error.detail)
        self._log.info("process_ready")

    def score_chunk(self, id: str, chunk: int) -> None:
        """Scores one chunk, if it still needs to be."""
        try:
            lease = self._leases.chunk(id, chunk)
        except Exhausted as exhausted:
            self._fail(
                exhausted.lease,
                f"was tried {MAX_ATTEMPTS} times, and its process died or fell silent each time",
            )
            return
        if isinstance(lease, str):
            self._log.info("hint_not_needed", job=id, chunk=chunk, reason=lease)
            return
        log = self._log.bind(job=id, chunk=chunk, attempt=lease.attempt, request_id=lease.spec.request_id)
        with self._keeper.holding([lease]):
            try:
                self._score(lease, log)
            except Unavailable as error:
                pause = min(30, 2 ** min(lease.attempt, 5) / 2)
                log.warning("chunk_put_off", reason=error.detail, pause_seconds=pause)
                document = problem(503, "Unavailable", f"Chunk {chunk} ({lease.rows}): {error.detail}")
                self._leases.give_back([lease], document, attempts=PATIENT_ATTEMPTS, delay_seconds=pause)
            except (ModelRefused, NotFound) as error:
                self._fail(lease, f"cannot be scored: {error.detail}")
            except Exception as error:
                log.exception("chunk_raised")
                detail = f"Chunk {chunk} ({lease.rows}) raised {type(error).__name__}: {error}"
                document = problem(500, "Scoring failed", detail)
                self._leases.give_back([lease], document, attempts=RAISING_ATTEMPTS, delay_seconds=lease.attempt)

    def predict_waiting(self, model: str) -> None:
        """Predicts the single rows that wait for `NAME@VERSION` until none waits."""
        while rows := self._leases.rows(model, GATHER_ROWS):
            started = time.perf_counter()
            with self._keeper.holding(rows):
                outcomes = self._predict(model, rows)
                counted = self._leases.commit_rows(outcomes)
            seconds = round(time.perf_counter() - started, 6)
            self._log.info("rows_predicted", model=model, rows=counted, seconds=seconds, jobs=[row.id for row in rows])

    def _score(self, lease: ChunkLease, log: Any) -> None:
        started = time.perf_counter()
        spec = lease.spec
        model = self._models.get(spec.model.name, spec.model.version)
        data = self._files.get_input(lease.id, lease.chunk)
        columns = spec.input.columns if spec.input else ()
        part = score(data, lease.planned.first_row, model, ChunkSpec(columns, spec.line_end.encode(), spec.options))
        if part.rows != lease.planned.rows:
            raise RuntimeError(f"the plan says {lease.planned.rows} rows, scoring found {part.rows}")
        if part.rows_failed and spec.options.on_error == "fail":
            self._records.fail(lease.id, _bad_row(part))
            log.info("job_failed_at_bad_row")
            return
        digest = self._files.put_part(lease.id, lease.chunk, part.data, part.errors)
        stored = Stored(digest, part.rows, part.rows_failed, len(part.data), len(part.errors))
        outcome = self._leases.commit(lease, stored, part.summary.to_json())
        seconds = round(time.perf_counter() - started, 6)
        log.info("chunk_scored", rows=part.rows, rows_failed=part.rows_failed, seconds=seconds, outcome=outcome)

    def _predict(self, model: str, rows: Sequence[RowLease]) -> list[Outcome]:
        name, _, version = model.rpartition("@")
        try:
            loaded = self._models.get(name, version)
        except RowcastError as error:
            document = problem(500, "Model refused", error.detail)
            return [Outcome(row, "failed", document) for row in rows]
        wanted = any(row.probabilities for row in rows)
        outcomes = []
        for row, answer in zip(rows, predict_rows(loaded, [row.values for row in rows], wanted), strict=True):
            if isinstance(answer, str):
                outcomes.append(Outcome(row, "failed", problem(422, "The row cannot be predicted", answer)))
            else:
                if not row.probabilities:
                    answer.pop("probabilities", None)
                outcomes.append(Outcome(row, "succeeded", answer))
        return outcomes

    def _fail(self, lease: ChunkLease, reason: str) -> None:
        detail = f"Chunk {lease.chunk} ({lease.rows}) {reason}."
        self._log.error("job_failed", job=lease.id, reason=detail)
        self._records.fail(lease.id, problem(500, "Scoring failed", detail))


def _bad_row(part: Part) -> dict[str, Any]:
    """The problem of a job that fails at its first bad row."""
    first = part.first_error()
    where = f"row {first.row}" + (f", column {first.column}" if first.column else "")
    return problem(
        422,
        "A row cannot be predicted",
        f"{where}: {first.message}",
        [{"where": where, "message": first.message}],
    )
