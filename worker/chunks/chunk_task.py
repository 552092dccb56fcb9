"""The chunk task: scores one chunk of a file, stores its part, and counts it."""

import time
from collections.abc import Sequence
from typing import Any

from rowcast.errors import (
    BadRow,
    Gone,
    InputLost,
    ModelRefused,
    NotFound,
    RowcastError,
    ScoringFailed,
    Unavailable,
)
from rowcast.jobs.chunk_tables import PartEntry
from rowcast.jobs.records.leases import ChunkLease
from rowcast.jobs.records.policy import STRIKES_ALLOWED, STRIKES_OF_ERROR
from rowcast.jobs.repair.bad_rows import bad_numbers
from rowcast.logs import logging_about
from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.predict import Predict, SearchAborted
from rowcast.scoring.score_chunk import ChunkSpec, Part, score_each, unscored
from rowcast.tracing.spans import Span
from rowcast.wording.quantity import counted
from worker.isolation.child import is_suspect
from worker.resources import Resources


class ChunkTask:
    """Scores leased chunks. `predict` predicts the chunks that are not suspected of killing their process."""

    def __init__(self, resources: Resources, predict: Predict) -> None:
        self._resources = resources
        self._predict = predict

    def score(self, lease: ChunkLease) -> None:
        """Scores a chunk; whatever happens, its lease has ended afterwards or ends by itself."""
        resources = self._resources
        log = resources.log
        longest_seconds = resources.isolated.longest_seconds * len(lease.spec.models) if is_suspect(lease) else None
        about = lease.origin.fields(lease.id) | {"chunk": lease.chunk, "attempt": lease.attempt}
        with (
            logging_about(about),
            resources.span("score chunk", lease) as span,
            resources.watchdog.holding([lease], longest_seconds),
        ):
            try:
                self._score_and_commit(lease, log, span)
            except Unavailable as error:
                span.fail(error.detail)
                resources.postpone([lease], error, log)
            except (ModelRefused, NotFound, SearchAborted, InputLost) as error:
                span.fail(error.detail)
                self._fail_job(lease, error)
            except Exception as error:
                log.exception("chunk_raised")
                detail = f"Chunk {lease.chunk} ({lease.rows}) raised {type(error).__name__}: {error}"
                span.fail(detail)
                problem = ScoringFailed(detail).recorded()
                resources.watchdog.release([lease], problem, strikes=STRIKES_OF_ERROR, delay_seconds=lease.attempt)
            finally:
                resources.isolated.close()

    def _score_and_commit(self, lease: ChunkLease, log: Any, span: Span) -> None:
        started, started_cpu = time.perf_counter(), time.process_time()
        models = [self._resources.models.get(one.name, one.version) for one in lease.spec.models]
        opened_cpu = time.process_time()
        part = self._scored(lease, models)
        if part.rows_failed and lease.spec.options.on_error == "fail":
            self._resources.records.fail(lease.id, _bad_row(part))
            log.info("job_failed_at_bad_row")
            return
        stored, ended_cpu = self._stored(lease, part), time.process_time()
        scoring_seconds = 0.0 if is_suspect(lease) else ended_cpu - opened_cpu  # another process predicted it
        cpu_seconds, summary = ended_cpu - started_cpu, _summary(part)
        with self._resources.tracer.begin("commit chunk", "internal", span.traceparent) as commit:
            outcome = self._resources.leases.commit(lease, stored, summary, cpu_seconds, scoring_seconds)
            commit.set("rowcast.outcome", outcome)
        span.set("rowcast.rows_failed", part.rows_failed)
        log.info(
            "chunk_scored",
            rows=part.rows,
            rows_failed=part.rows_failed,
            isolated=is_suspect(lease),
            fast_path=any(model.fast for model in models),
            seconds=round(time.perf_counter() - started, 6),
            outcome=outcome,
        )
        if outcome == "stale":
            self._delete_files_if_job_is_deleted(lease.id)
        elif outcome == "lost":
            log.error("part_digest_mismatch")

    def _scored(self, lease: ChunkLease, models: Sequence[LoadedModel]) -> Part:
        spec = lease.spec
        data = self._input(lease)
        columns, format = (spec.input.columns, spec.input.format) if spec.input else ((), "csv")
        chunk = ChunkSpec(columns, spec.line_end.encode(), spec.options, format, spec.dtypes)
        if not lease.planned.rows:
            return unscored(data, models, chunk)
        predict = self._resources.isolated.predict_good if is_suspect(lease) else self._predict
        first_row, summarized = lease.planned.first_row, self._rows_to_count(lease)
        part = score_each(data, first_row, models, chunk, predict, summarized=summarized)
        if part.rows != lease.planned.rows:
            raise RuntimeError(f"the plan says {counted(lease.planned.rows, 'row')}, scoring found {part.rows}")
        return part

    def _rows_to_count(self, lease: ChunkLease) -> list[int] | None:
        """Returns the rows that the summary does not have yet: of a repaired chunk those that were bad, otherwise all.

        None means all.
        """
        if lease.revision_before is None:
            return None
        try:
            errors = self._resources.files.get_errors(lease.id, lease.chunk, lease.revision_before)
        except FileNotFoundError:
            raise InputLost("the list of its bad rows is missing from the store: send the file again") from None
        return bad_numbers(errors)

    def _input(self, lease: ChunkLease) -> bytes:
        try:
            data = self._resources.files.get_input(lease.id, lease.chunk, lease.revision)
        except FileNotFoundError:
            raise InputLost("its input is missing from the store: send the file again") from None
        if len(data) != lease.planned.input_bytes:
            sizes = f"{counted(len(data), 'byte')} in the store instead of {lease.planned.input_bytes}"
            raise InputLost(f"its input has {sizes}: send the file again")
        return data

    def _stored(self, lease: ChunkLease, part: Part) -> PartEntry:
        """Stores a part. Returns its entry in the table of parts."""
        files = self._resources.files
        if lease.attempt > 1:
            files.delete_partial_writes(lease.id, lease.chunk, lease.revision)
        digest = files.put_part(lease.id, lease.chunk, part.data, part.errors, lease.revision)
        return PartEntry(digest, part.rows, part.rows_failed, len(part.data), len(part.errors))

    def _delete_files_if_job_is_deleted(self, id: str) -> None:
        """Deletes a part that was stored after its job's files had been removed.

        If Redis does not know the job at all, Redis was emptied or the upload still goes on: the files stay.
        """
        try:
            self._resources.records.get(id)
        except Gone:
            self._resources.files.delete(id)
        except NotFound:
            self._resources.log.info("job_unknown")

    def _fail_job(self, lease: ChunkLease, error: RowcastError) -> None:
        detail = f"Chunk {lease.chunk} ({lease.rows}) cannot be scored: {error.detail.removesuffix('.')}."
        self._resources.log.error("job_failed", reason=detail)
        problem = _kind_of(error)(detail).recorded()
        self._resources.watchdog.release([lease], problem, strikes=STRIKES_ALLOWED)


def _kind_of(error: RowcastError) -> type[RowcastError]:
    """Returns the type of the problem of a job whose chunk cannot be scored because of `error`."""
    if isinstance(error, InputLost):
        return InputLost
    return ModelRefused if isinstance(error, (ModelRefused, NotFound)) else ScoringFailed


def _summary(part: Part) -> dict[str, Any]:
    """Returns the summary of a part, with the likely reason if all of its rows are bad."""
    return {**part.summary.to_json(), **(part.reason.to_json() if part.reason else {})}


def _bad_row(part: Part) -> dict[str, Any]:
    """Returns the problem of a job that fails at its first bad row."""
    first = part.first_error()
    where = f"row {first.row}" + (f", column {first.column}" if first.column else "")
    return BadRow.at(where, first.message).recorded()
