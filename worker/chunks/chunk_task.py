"""The chunk task: scores one chunk of a file, stores its part, and commits it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
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
    Unprocessable,
)
from rowcast.jobs.chunk_tables import PartEntry
from rowcast.jobs.drift.drift_figures import DriftCounts
from rowcast.jobs.job import ByUrl
from rowcast.jobs.job_files import digest
from rowcast.jobs.records.leases import ChunkLease
from rowcast.jobs.records.policy import STRIKES_ALLOWED, STRIKES_OF_ERROR
from rowcast.jobs.repair.bad_rows import bad_numbers
from rowcast.logs import logging_about
from rowcast.models.loading.load import LoadedModel
from rowcast.scoring.model_rows import CountedRows
from rowcast.scoring.predict import Predict, SearchAborted
from rowcast.scoring.score_chunk import ChunkSpec, Part, score_each, unscored
from rowcast.storage import Sync
from rowcast.tracing.spans import Span
from rowcast.wording.quantity import counted
from worker.chunks.shadow_task import ShadowTask
from worker.isolation.child import is_suspect
from worker.planning.output_task import open_output
from worker.planning.url_input import UrlInput
from worker.resources import Resources


@dataclass(frozen=True)
class _Stored:
    """A chunk whose part is stored and not committed yet, because the disk may still write it."""

    lease: ChunkLease
    part: Part
    syncs: Sequence[Sync]
    #: SHA-256 of what was written to the job's URL; no bytes if its result stays in the store only.
    output: bytes
    span: Span
    #: When the work on the chunk began, in `time.perf_counter()` seconds.
    started: float
    #: Processor time that it took.
    cpu_seconds: float
    #: The same without the opening of models; 0 if another process predicted it.
    scoring_seconds: float
    #: Whether the fast path for trees predicted some of it.
    is_fast: bool


class ChunkTask:
    """Scores leased chunks.

    A part has to be on disk before it is counted. So that the process does not wait for the disk, a chunk is committed
    while the next one of its job is scored: as soon as that one is read.
    """

    def __init__(self, resources: Resources, predict: Predict) -> None:
        """`predict` predicts the chunks that are not suspected of killing their process. It may call `commit`."""
        self._resources = resources
        self._predict = predict
        self._url_input = UrlInput(resources.files, resources.url_files, resources.settings.max_row_bytes)
        self._stored: _Stored | None = None
        self._shadow = ShadowTask(resources, predict, self._input)
        #: The chunk that was counted last, if a shadow scores it: lease, rows and seconds.
        self._to_compare: tuple[ChunkLease, CountedRows, float] | None = None

    def score(self, lease: ChunkLease) -> None:
        """Scores a chunk and stores its part.

        Whatever happens, its lease has ended after the next `commit`, or ends by itself.
        """
        if self._stored and (lease.id != self._stored.lease.id or is_suspect(lease)):
            self.commit()  # opening another model may take longer than a lease lasts
        resources = self._resources
        longest_seconds = resources.isolated.longest_seconds * len(lease.spec.models) if is_suspect(lease) else None
        span = resources.span("score chunk", lease)
        with _logging_about(lease), resources.watchdog.holding([lease], longest_seconds):
            stored = None
            try:
                with self._releasing_at_error(lease, span):
                    stored = self._score_and_store(lease, span)
            finally:
                resources.isolated.close()
                self.commit()
            if stored is None:
                span.end()
        self._stored = stored
        if stored and (lease.spec.shadow is not None or all(sync.has_ended for sync in stored.syncs)):
            self.commit()
            self._compare_with_shadow()

    def _compare_with_shadow(self) -> None:
        """Lets the shadow score the chunk that was counted last. It has no lease any more."""
        compared, self._to_compare = self._to_compare, None
        if compared is not None:
            with _logging_about(compared[0]):
                self._shadow.compare(*compared)

    def commit(self) -> None:
        """Commits the chunk that is stored, if there is one."""
        if self._stored is None:
            return
        stored, self._stored = self._stored, None
        lease = stored.lease
        with (
            _logging_about(lease),
            stored.span,
            self._resources.watchdog.holding([lease]),
            self._releasing_at_error(lease, stored.span),
        ):
            for sync in stored.syncs:
                sync.wait()
            self._commit(stored)

    @contextmanager
    def _releasing_at_error(self, lease: ChunkLease, span: Span) -> Iterator[None]:
        """Releases the lease if the block raises an error, or fails its job if a repetition would be of no use."""
        resources = self._resources
        try:
            yield
        except Unavailable as error:
            span.fail(error.detail)
            resources.postpone([lease], error, resources.log)
        except (ModelRefused, NotFound, SearchAborted, InputLost, Unprocessable) as error:
            span.fail(error.detail)
            self._fail_job(lease, error)
        except Exception as error:
            resources.log.exception("chunk_raised")
            detail = f"Chunk {lease.chunk} ({lease.rows}) raised {type(error).__name__}: {error}"
            span.fail(detail)
            problem = ScoringFailed(detail).recorded()
            resources.watchdog.release([lease], problem, strikes=STRIKES_OF_ERROR, delay_seconds=lease.attempt)

    def _score_and_store(self, lease: ChunkLease, span: Span) -> _Stored | None:
        """Returns None if the job has failed with this chunk, because it may have no bad row."""
        started, started_cpu = time.perf_counter(), time.process_time()
        models = [self._resources.models.get(one.name, one.version) for one in lease.spec.models]
        opened_cpu = time.process_time()
        part = self._scored(lease, models)
        if part.rows_failed and lease.spec.options.on_error == "fail":
            self._resources.records.fail(lease.id, _bad_row(part))
            self._resources.log.info("job_failed_at_bad_row")
            return None
        syncs, output, by_url = [*self._put(lease, part)], b"", lease.spec.by_url
        if by_url is not None and by_url.output_url is not None:
            sync, output = self._put_output(lease, by_url, part)
            syncs.append(sync)
        ended_cpu = time.process_time()
        return _Stored(
            lease=lease,
            part=part,
            syncs=syncs,
            output=output,
            span=span,
            started=started,
            cpu_seconds=ended_cpu - started_cpu,
            scoring_seconds=0.0 if is_suspect(lease) else ended_cpu - opened_cpu,
            is_fast=any(model.fast for model in models),
        )

    def _commit(self, stored: _Stored) -> None:
        lease, part, resources = stored.lease, stored.part, self._resources
        entry = PartEntry(digest(part.data), part.rows, part.rows_failed, len(part.data), len(part.errors))
        with resources.tracer.begin("commit chunk", "internal", stored.span.traceparent) as commit:
            outcome = resources.leases.commit(
                lease,
                entry,
                _summary(part),
                stored.cpu_seconds,
                stored.scoring_seconds,
                output=stored.output,
                drift=self._drift(lease, part),
            )
            commit.set("rowcast.outcome", outcome)
        if lease.spec.shadow is not None and part.counted is not None and outcome in ("counted", "ended"):
            self._to_compare = lease, part.counted, time.perf_counter() - stored.started
        stored.span.set("rowcast.rows_failed", part.rows_failed)
        resources.log.info(
            "chunk_scored",
            rows=part.rows,
            rows_failed=part.rows_failed,
            isolated=is_suspect(lease),
            fast_path=stored.is_fast,
            seconds=round(time.perf_counter() - stored.started, 6),
            outcome=outcome,
        )
        if outcome == "stale":
            self._delete_files_if_job_is_deleted(lease.id)
        elif outcome == "lost":
            resources.log.error("part_digest_mismatch")

    def _drift(self, lease: ChunkLease, part: Part) -> DriftCounts | None:
        """Returns the counts of a part; None if there are none."""
        if not part.drift:
            return None
        counter = self._resources.models.bin_counter(lease.spec.model.name, lease.spec.model.version)
        return DriftCounts(part.drift, counter.profile.for_redis) if counter else None

    def _scored(self, lease: ChunkLease, models: Sequence[LoadedModel]) -> Part:
        spec = lease.spec
        data = self._input(lease)
        columns, format = (spec.input.columns, spec.input.format) if spec.input else ((), "csv")
        chunk = ChunkSpec(columns, spec.line_end.encode(), spec.options, format, spec.dtypes)
        if not lease.planned.rows:
            return unscored(data, models, chunk)
        predict = self._resources.isolated.predict_good if is_suspect(lease) else self._predict
        first_row, summarized = lease.planned.first_row, self._rows_to_count(lease)
        counter = None if spec.is_check else self._resources.models.bin_counter(spec.model.name, spec.model.version)
        part = score_each(data, first_row, models, chunk, predict, summarized=summarized, counter=counter)
        if part.rows != lease.planned.rows:
            raise RuntimeError(f"the plan says {counted(lease.planned.rows, 'row')}, scoring found {part.rows}")
        if part.rows_failed and spec.by_url is not None and not lease.revision:
            self._resources.files.put_input(lease.id, lease.chunk, data)  # for the list of bad rows, and a repair
        return part

    def _rows_to_count(self, lease: ChunkLease) -> list[int] | None:
        """Returns the rows that the summary does not have yet: of a repaired chunk those that were bad; None is all."""
        if lease.revision_before is None:
            return None
        try:
            errors = self._resources.files.get_errors(lease.id, lease.chunk, lease.revision_before)
        except FileNotFoundError:
            raise InputLost("the list of its bad rows is missing from the store: send the file again") from None
        return bad_numbers(errors)

    def _input(self, lease: ChunkLease) -> bytes:
        if lease.spec.by_url is not None and not lease.revision:
            return self._url_input.read(lease)
        try:
            data = self._resources.files.get_input(lease.id, lease.chunk, lease.revision)
        except FileNotFoundError:
            raise InputLost("its input is missing from the store: send the file again") from None
        if len(data) != lease.planned.input_bytes:
            sizes = f"{counted(len(data), 'byte')} in the store instead of {lease.planned.input_bytes}"
            raise InputLost(f"its input has {sizes}: send the file again")
        return data

    def _put(self, lease: ChunkLease, part: Part) -> Sequence[Sync]:
        files = self._resources.files
        if lease.attempt > 1:
            files.delete_partial_writes(lease.id, lease.chunk, lease.revision)
        return files.put_part_early(lease.id, lease.chunk, part.data, part.errors, lease.revision)

    def _put_output(self, lease: ChunkLease, by_url: ByUrl, part: Part) -> tuple[Sync, bytes]:
        """Writes a part to the URL of its job. Returns its SHA-256, too."""
        output, header = open_output(self._resources, by_url), self._resources.files.get_header(lease.id)
        return output.put_part_early(lease.chunk, header, part.data)

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


def _logging_about(lease: ChunkLease) -> AbstractContextManager[None]:
    return logging_about(lease.origin.fields(lease.id) | {"chunk": lease.chunk, "attempt": lease.attempt})


def _kind_of(error: RowcastError) -> type[RowcastError]:
    """Returns the type of the problem of a job whose chunk cannot be scored because of `error`."""
    if isinstance(error, InputLost | Unprocessable):
        return type(error)
    return ModelRefused if isinstance(error, (ModelRefused, NotFound)) else ScoringFailed


def _summary(part: Part) -> dict[str, Any]:
    """Returns the summary of a part, with the likely reason if all of its rows are bad."""
    return {**part.summary.to_json(), **(part.reason.to_json() if part.reason else {})}


def _bad_row(part: Part) -> dict[str, Any]:
    """Returns the problem of a job that fails at its first bad row."""
    first = part.first_error()
    where = f"row {first.row}" + (f", column {first.column}" if first.column else "")
    return BadRow.at(where, first.message).recorded()
