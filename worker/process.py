"""One worker process: what it holds open, and what it does with a hint."""

import os
import time
from collections.abc import Sequence
from typing import Any

from rowcast.errors import (
    BadRow,
    Gone,
    InputLost,
    ModelRefused,
    NoDefaultModel,
    NotFound,
    RowcastError,
    ScoringFailed,
    Unavailable,
)
from rowcast.jobs.chunk_tables import PartEntry
from rowcast.jobs.job_files import Files
from rowcast.jobs.records.job_records import Records
from rowcast.jobs.records.leases import ChunkLease, Leases, Outcome, RowLease, WaitingChunk, WaitingRows
from rowcast.jobs.records.policy import LONGEST_PAUSE_SECONDS, STRIKES_ALLOWED, STRIKES_OF_ERROR
from rowcast.jobs.records.redis_client import connect
from rowcast.jobs.records.scripts import Scripts
from rowcast.jobs.records.workers import WorkerRegistry
from rowcast.logs import logger
from rowcast.models.default_model import DefaultModel
from rowcast.models.registry import Registry
from rowcast.scoring.predict import Predict, SearchAborted, Wanted, predict_good, predict_rows
from rowcast.scoring.score_chunk import ChunkSpec, Part, score, unscored
from rowcast.settings import Settings
from rowcast.storage import Storage
from worker.fair_share import FairShare
from worker.isolation.child import IsolatedProcess, is_suspect
from worker.lease_watchdog import LeaseWatchdog
from worker.model_cache import ModelCache
from worker.time_slices import TimeSlices

GATHER_ROWS = 256
"""Single rows predicted in one call: it costs hardly more than one row does."""

LINGER_SECONDS = 1.0
"""How long a process waits for the next single row before it goes back to Celery, whose way to it takes longer than a
prediction does; other work that comes calls it."""

STAY_SECONDS = 5.0
"""When it goes back nevertheless, so that a worker that is to stop gets its processes."""


class Process:
    """What one pool process of the worker has at hand; made after the fork."""

    def __init__(self, settings: Settings, node: str) -> None:
        redis = connect(settings.redis_url)
        self.holder = f"{node}/{os.getpid()}"
        scripts = Scripts(redis, settings)
        self._leases = Leases(scripts, self.holder)
        self._records = Records(scripts, settings)
        self._files = Files(Storage(settings.store))
        registry = Registry(Storage(settings.models), settings.model_key)
        self._models = ModelCache(registry, settings.model_versions)
        self._default_model = DefaultModel(registry, settings)
        self._isolated = IsolatedProcess(self._models.files, settings.chunk_timeout)
        self._watchdog = LeaseWatchdog(self._leases, settings.lease_seconds, settings.chunk_timeout)
        self._workers, self._node = WorkerRegistry(redis), node
        self._share = FairShare()
        self._slices = TimeSlices(self._let_rows_pass)
        self._counted_until = 0.0
        """Up to when the time of the chunk at hand is counted in its share."""
        self._log = logger("worker").bind(worker=self.holder)

    def warm_up(self) -> None:
        """Opens the default model, if there is one, so that the first job does not wait for it.

        A model that cannot be opened is reported by the job that asks for it.
        """
        try:
            manifest = self._default_model.resolve()
            self._models.get(manifest.name, manifest.version)
        except NoDefaultModel:
            pass
        except RowcastError as error:
            self._log.warning("default_model_not_loaded", reason=error.detail)
        self._report_unopenable()
        self._log.info("process_ready")

    def _report_unopenable(self) -> None:
        """Lets `/ready` name the models that jobs would ask for and that cannot be opened in this environment."""
        try:
            self._workers.report_unopenable(self._node, self._models.unopenable())
        except RowcastError as error:
            self._log.warning("unopenable_models_not_reported", reason=error.detail)

    def work(self) -> None:
        """Does the work that waits: single rows of whatever model, until it is a chunk's turn, and then one chunk.

        Where nothing waits, it lingers for rows that come.
        """
        stay_until = time.monotonic() + STAY_SECONDS
        while True:
            linger_seconds = max(0.0, min(LINGER_SECONDS, stay_until - time.monotonic()))
            work = self._leases.take(self._share.order, GATHER_ROWS, linger_seconds)
            found = self._leases.linger(linger_seconds) if work == "lingering" else work
            match found:
                case WaitingRows(model, rows):
                    if not self._predict_leased(model, rows) or time.monotonic() > stay_until:
                        return
                case WaitingChunk(id, chunk):
                    if self._score_chunk(id, chunk):
                        return
                case None:
                    return

    def _let_rows_pass(self) -> None:
        """Predicts rows that wait before the chunk at hand goes on, as far as their share of the time allows."""
        self._count_chunk()
        try:
            while self._share.rows_come_first:
                found = self._leases.take(["rows"], GATHER_ROWS)
                if not isinstance(found, WaitingRows) or not self._predict_leased(found.model, found.rows):
                    break
        except Unavailable as error:
            self._log.warning("rows_not_looked_for", reason=error.detail)
        self._counted_until = time.perf_counter()

    def _count_chunk(self) -> None:
        now = time.perf_counter()
        self._share.add_chunk(now - self._counted_until)
        self._counted_until = now

    def _score_chunk(self, id: str, chunk: int) -> bool:
        """Scores one chunk; answers whether it still needed to be."""
        lease = self._leases.chunk(id, chunk)
        if isinstance(lease, str):
            self._log.info("hint_not_needed", job=id, chunk=chunk, reason=lease)
            return False
        self._counted_until = time.perf_counter()
        log = self._log.bind(job=id, chunk=chunk, attempt=lease.attempt, request_id=lease.spec.request_id)
        with self._watchdog.holding([lease], self._longest_seconds(lease)):
            try:
                self._score(lease, log)
            except Unavailable as error:
                self._postpone([lease], error, log)
            except (ModelRefused, NotFound, SearchAborted, InputLost) as error:
                self._fail(lease, error)
            except Exception as error:
                log.exception("chunk_raised")
                detail = f"Chunk {chunk} ({lease.rows}) raised {type(error).__name__}: {error}"
                document = ScoringFailed(detail).recorded()
                self._watchdog.release([lease], document, strikes=STRIKES_OF_ERROR, delay_seconds=lease.attempt)
            finally:
                self._isolated.close()
                self._count_chunk()
        return True

    def _predict_leased(self, model: str, rows: Sequence[RowLease]) -> bool:
        """Predicts and commits the rows; answers whether to go on with others."""
        log = self._log.bind(model=model, jobs=[row.id for row in rows])
        started = time.perf_counter()
        with self._watchdog.holding(rows, self._longest_seconds(rows[0])):
            try:
                self._predict_and_commit(model, rows, log)
            except Unavailable as error:
                self._postpone(rows, error, log)
                return False
            except Exception as error:
                log.exception("rows_raised")
                document = ScoringFailed(f"{type(error).__name__}: {error}").recorded()
                self._watchdog.release(rows, document, strikes=STRIKES_OF_ERROR)
            finally:
                self._isolated.close()
                self._share.add_rows(time.perf_counter() - started)
        return True

    def _longest_seconds(self, lease: ChunkLease | RowLease) -> float | None:
        return self._isolated.longest_seconds if is_suspect(lease) else None

    def _way_to_predict(self, lease: ChunkLease | RowLease) -> Predict:
        if is_suspect(lease):
            return self._isolated.predict_good
        return self._slices.predict_good if isinstance(lease, ChunkLease) else predict_good

    def _score(self, lease: ChunkLease, log: Any) -> None:
        started = time.perf_counter()
        spec = lease.spec
        model = self._models.get(spec.model.name, spec.model.version)
        data = self._input(lease)
        columns = spec.input.columns if spec.input else ()
        chunk = ChunkSpec(columns, spec.line_end.encode(), spec.options)
        if lease.planned.rows:
            part = score(data, lease.planned.first_row, model, chunk, self._way_to_predict(lease))
        else:
            part = unscored(data, model, chunk)
        if part.rows != lease.planned.rows:
            raise RuntimeError(f"the plan says {lease.planned.rows} rows, scoring found {part.rows}")
        if part.rows_failed and spec.options.on_error == "fail":
            self._records.fail(lease.id, _bad_row(part))
            log.info("job_failed_at_bad_row")
            return
        if lease.attempt > 1:
            self._files.delete_partial_writes(lease.id, lease.chunk)
        digest = self._files.put_part(lease.id, lease.chunk, part.data, part.errors)
        stored = PartEntry(digest, part.rows, part.rows_failed, len(part.data), len(part.errors))
        why = part.reason.to_json() if part.reason else {}
        outcome = self._leases.commit(lease, stored, {**part.summary.to_json(), **why})
        seconds = round(time.perf_counter() - started, 6)
        log.info(
            "chunk_scored",
            rows=part.rows,
            rows_failed=part.rows_failed,
            isolated=is_suspect(lease),
            seconds=seconds,
            outcome=outcome,
        )
        if outcome == "stale":
            self._sweep_if_deleted(lease.id)
        elif outcome == "lost":
            log.error("part_is_not_what_it_was")

    def _input(self, lease: ChunkLease) -> bytes:
        try:
            data = self._files.get_input(lease.id, lease.chunk)
        except FileNotFoundError:
            raise InputLost("its input is gone from the store: send the file again") from None
        if len(data) != lease.planned.input_bytes:
            sizes = f"{len(data)} bytes in the store, and had {lease.planned.input_bytes}"
            raise InputLost(f"its input has {sizes}: send the file again")
        return data

    def _sweep_if_deleted(self, id: str) -> None:
        """A part that was stored after its job's files were removed must not stay.

        A job of which Redis knows nothing at all was not deleted: Redis was emptied, and the job will come back.
        """
        try:
            self._records.get(id)
        except Gone:
            self._files.delete(id)
        except NotFound:  # or its input still arrives
            self._log.info("job_unknown", job=id)

    def _predict_and_commit(self, model: str, rows: Sequence[RowLease], log: Any) -> None:
        started = time.perf_counter()
        counted = self._leases.commit_rows(self._predict(model, rows))
        log.info("rows_predicted", rows=counted, seconds=round(time.perf_counter() - started, 6))

    def _predict(self, model: str, rows: Sequence[RowLease]) -> list[Outcome]:
        name, _, version = model.rpartition("@")
        try:
            loaded = self._models.get(name, version)
        except (ModelRefused, NotFound) as error:
            document = ModelRefused(error.detail).recorded()
            return [Outcome(row, "failed", document) for row in rows]
        wanted = Wanted(any(row.probabilities for row in rows), any(row.scores for row in rows))
        answers = predict_rows(loaded, [row.values for row in rows], wanted, self._way_to_predict(rows[0]))
        outcomes = []
        for row, answer in zip(rows, answers, strict=True):
            if isinstance(answer, str):
                outcomes.append(Outcome(row, "failed", BadRow(answer).recorded()))
            else:
                for name, asked in (("probabilities", row.probabilities), ("scores", row.scores)):
                    if not asked:
                        answer.pop(name, None)
                outcomes.append(Outcome(row, "succeeded", answer))
        return outcomes

    def _postpone(self, leases: Sequence[ChunkLease | RowLease], error: Unavailable, log: Any) -> None:
        """Tries again later, as often as it takes: nothing is wrong with the rows."""
        pause = min(LONGEST_PAUSE_SECONDS, 2 ** min(max(lease.attempt for lease in leases), 8) / 2)
        log.warning("work_postponed", reason=error.detail, pause_seconds=pause)
        self._watchdog.release(leases, error.recorded(), strikes=0, delay_seconds=pause)

    def _fail(self, lease: ChunkLease, error: RowcastError) -> None:
        detail = f"Chunk {lease.chunk} ({lease.rows}) cannot be scored: {error.detail.removesuffix('.')}."
        self._log.error("job_failed", job=lease.id, reason=detail)
        document = _kind_of(error)(detail).recorded()
        self._watchdog.release([lease], document, strikes=STRIKES_ALLOWED)


def _kind_of(error: RowcastError) -> type[RowcastError]:
    """The problem of a job whose chunk cannot be scored because of `error`."""
    if isinstance(error, InputLost):
        return InputLost
    return ModelRefused if isinstance(error, (ModelRefused, NotFound)) else ScoringFailed


def _bad_row(part: Part) -> dict[str, Any]:
    """What a job records that fails at its first bad row."""
    first = part.first_error()
    where = f"row {first.row}" + (f", column {first.column}" if first.column else "")
    return BadRow.at(where, first.message).recorded()
